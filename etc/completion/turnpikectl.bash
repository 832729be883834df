# SPDX-License-Identifier: BSD-2-Clause
# Words for bash: turnpikectl itself says which commands there are, so they are never out of date.
_turnpikectl() {
    local current=${COMP_WORDS[COMP_CWORD]} word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
        diff) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        esac
    done
    mapfile -t COMPREPLY < <(compgen -W "$(turnpikectl --help 2>/dev/null |
        sed -n 's/^  \([a-z][a-z-]*\).*/\1/p; s/.*\(--[a-z][a-z-]*\).*/\1/p')" -- "$current")
}
complete -o default -F _turnpikectl turnpikectl
