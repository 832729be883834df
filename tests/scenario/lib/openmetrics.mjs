// SPDX-License-Identifier: BSD-2-Clause
// Reads OpenMetrics 1.0 as strictly as its grammar allows: families in one piece, units and suffixes by
// type, exemplars only where they may stand and within their bucket, and the end.
import assert from 'node:assert/strict';

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABELS = '\\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"(?:,(?=[a-zA-Z_]))?)*\\}';
const NUMBER = '-?[0-9]+(?:\\.[0-9]+)?(?:e[+-]?[0-9]+)?|[+-]Inf|NaN';
const SAMPLE = new RegExp(`^(${NAME})(${LABELS})? (${NUMBER})(?: # (${LABELS}) (${NUMBER})(?: ([0-9]+(?:\\.[0-9]+)?))?)?$`);
const SUFFIXES = { counter: ['_total', '_created'], gauge: [''], histogram: ['_bucket', '_sum', '_count', '_created'] };

function labelsOf(text) {
    const labels = {};
    for (const [, name, value] of (text ?? '').matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)) {
        assert.ok(!(name in labels), `label twice: ${text}`);
        labels[name] = value.replace(/\\(.)/g, (_, byte) => (byte === 'n' ? '\n' : byte));
    }
    return labels;
}

const numberOf = (text) => Number(text.replace('Inf', 'Infinity'));

function exemplarOf(sample, family, [labels, value, timestamp]) {
    assert.ok(family.type === 'counter' || sample.name.endsWith('_bucket'), `an exemplar of ${sample.name}`);
    const exemplar = { labels: labelsOf(labels), value: numberOf(value), timestamp: timestamp && Number(timestamp) };
    const length = Object.entries(exemplar.labels).flat().join('').length;
    assert.ok(length <= 128, `labels of ${length} characters: ${labels}`);
    if (sample.labels.le !== undefined) {
        assert.ok(exemplar.value <= numberOf(sample.labels.le), `an exemplar outside its bucket: ${JSON.stringify(sample)}`);
    }
    return exemplar;
}

// Families by name: { name, type, help, samples: [{ name, labels, value, exemplar }] }.
export function parseOpenMetrics(text) {
    const families = new Map();
    const lines = text.split('\n');
    assert.equal(lines.pop(), '', 'the last line has no end');
    assert.equal(lines.pop(), '# EOF', 'the last line is # EOF');
    let open = null;
    for (const line of lines) {
        const comment = new RegExp(`^# (HELP|TYPE|UNIT) (${NAME}) (.+)$`).exec(line);
        if (comment) {
            const [, kind, name, rest] = comment;
            if (open?.name !== name) {
                assert.ok(!families.has(name), `a family in two pieces: ${name}`);
                open = { name, samples: [] };
                families.set(name, open);
            }
            assert.equal(open.samples.length, 0, `${line} behind samples`);
            assert.ok(!(kind in open), `${kind} twice: ${name}`);
            open[kind] = rest;
            open.type = open.TYPE;
            continue;
        }
        const parts = SAMPLE.exec(line);
        assert.ok(parts, `no sample: ${line}`);
        const sample = { name: parts[1], labels: labelsOf(parts[2]), value: numberOf(parts[3]) };
        assert.ok(open && sample.name.startsWith(open.name), `${sample.name} stands outside its family`);
        assert.ok(SUFFIXES[open.type]?.includes(sample.name.slice(open.name.length)), `${sample.name} of a ${open.type}`);
        assert.ok(open.type !== 'histogram' || !sample.name.endsWith('_bucket') || 'le' in sample.labels, line);
        sample.exemplar = parts[4] && exemplarOf(sample, open, parts.slice(4));
        open.samples.push(sample);
    }
    return families;
}
