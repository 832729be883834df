// The sections below the charts. Each keeps its elements and changes what differs.

// A table: columns [{title, cell: (row) => node or text, number, full}]. Roles are named, since on a
// phone rows are laid out as blocks and would lose them.
class Table {
  constructor(holder, caption, columns) {
    this.columns = columns;
    this.rows = [];
    this.body = element('tbody', { role: 'rowgroup' });
    this.table = element('table', { role: 'table' },
      element('caption.hidden', null, caption),
      element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...columns.map((column) =>
        element(column.number ? 'th.n' : 'th', { role: 'columnheader', scope: 'col' }, column.title)))),
      this.body);
    this.holder = holder;
    this.empty = element('p.empty');
    holder.append(this.table, this.empty);
  }

  show(rows, whenEmpty) {
    this.table.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0;
    setText(this.empty, rows.length > 0 ? '' : whenEmpty);
    while (this.rows.length > rows.length) this.rows.pop().node.remove();
    while (this.rows.length < rows.length) this.rows.push(this.newRow());
    rows.forEach((row, i) => this.fill(this.rows[i], row));
  }

  newRow() {
    const cells = this.columns.map((column) => element(['td', column.number ? 'n' : null, column.full ? 'full' : null].filter(Boolean).join('.'),
      { role: 'cell', 'data-label': column.label ?? column.title }));
    const node = element('tr', { role: 'row' }, ...cells);
    this.body.append(node);
    return { node, cells, said: [] };
  }

  fill(shown, row) {
    this.columns.forEach((column, i) => {
      const content = column.cell(row);
      const key = typeof content === 'string' ? content : content?.outerHTML ?? '';
      if (shown.said[i] === key) return;
      shown.said[i] = key;
      shown.cells[i].replaceChildren(...(content === null ? [] : [content]));
    });
  }
}

const joined = (...nodes) => element('span', null, ...nodes);
const small = (text) => element('small', null, text);

// Lists of the gateway, as the updates leave them.
const state = { routes: [], splits: [], services: [], origins: [], cuts: [], changes: [], certificates: [], connections: [] };

// --- what needs attention ---

function alertsOf(update) {
  const alerts = [];
  const add = (level, text) => alerts.push({ level, text });
  const { process } = update;
  const now = update.now_ms / 1000;
  if (process.stopping) add('warn', 'The process has been told to stop.');
  if (process.file_error) add('bad', `The configuration file does not load, what ran before runs on: ${process.file_error}`);
  if (process.went_back) add('warn', 'The configuration file is not what runs: its last reload was rolled back.');
  if (process.confirm_until_s > 0) add('warn', `A reload waits for its confirmation and is rolled back in ${span(process.confirm_until_s - now)}: turnpikectl confirm.`);
  for (const [name, use] of Object.entries(update.use)) {
    if (use.level > 0) add(use.level > 2 ? 'bad' : 'warn', `Short of ${name}: ${PRESSURE[use.level]}.`);
  }
  for (const split of state.splits) {
    if (split.ramp?.phase === 'breached') add('bad', `The ramp of route ${split.route} went back: ${split.ramp.reason ?? 'the new arm did worse'}`);
    else if (split.ramp && ['paused', 'aborted'].includes(split.ramp.phase)) add('warn', `The ramp of route ${split.route} is ${split.ramp.phase}.`);
  }
  const hurt = state.origins.filter((origin) => origin.why !== '');
  for (const origin of hurt.slice(0, 6)) add(['down', 'ejected'].includes(origin.state) ? 'bad' : 'warn', `${origin.service}: origin ${origin.name} ${stateWord(origin.state)}: ${origin.why}.`);
  const failing = state.routes.filter((route) => route.failures >= 10 && route.failures >= route.rate * 0.05);
  for (const route of failing.slice(0, 4)) add('bad', `Route ${route.name}: ${percent(route.failures / route.rate)} of requests fail.`);
  if (failing.length > 4) add('bad', `${failing.length - 4} more routes fail.`);
  if (hurt.length > 6) add('bad', `${hurt.length - 6} more origins do not get their share.`);
  for (const certificate of state.certificates) {
    const days = (certificate.not_after_s - now) / 86400;
    if (days < 0) add('bad', `Expired: ${certificate.role} ${certificate.subject} of ${certificate.used_by}.`);
    else if (days < 14) add('warn', `Expires in ${span(certificate.not_after_s - now)}: ${certificate.role} ${certificate.subject} of ${certificate.used_by}.`);
  }
  return alerts;
}

const PRESSURE = ['enough', 'idle connections close early', 'large request bodies are read only a little', 'new connections are refused', 'the costliest connections are closed'];

function showAlerts(update) {
  const alerts = alertsOf(update);
  if (alerts.length === 0) alerts.push({ level: 'good', text: 'Nothing needs attention.' });
  const list = byId('alerts');
  const key = JSON.stringify(alerts);
  if (list.said === key) return;
  list.said = key;
  list.replaceChildren(...alerts.map(({ level, text }) => element(`li.${level}`, null,
    element('span.sign', { 'aria-hidden': 'true' }, { good: '✓', warn: '!', bad: '✕' }[level]),
    element('span', null, text))));
}

// --- budgets ---

const METERS = [
  ['memory', 'Memory', bytes],
  ['descriptors', 'File descriptors', (number) => count(number)],
  ['connections', 'Client connections', (number) => count(number)],
];
const meters = {};

function showMeters(update) {
  for (const [key, title, unit] of METERS) {
    const use = update.use[key];
    if (use === undefined) continue;
    if (!meters[key]) {
      const meter = { value: element('span.value'), bar: element('div.bar', { 'aria-hidden': 'true' }, element('i')), note: element('p.note') };
      byId('meters').append(element('div.card.meter', null, element('div.card-head', null, element('h3', null, title), meter.value), meter.bar, meter.note));
      meters[key] = meter;
    }
    const share = use.budget === null ? 0 : use.used / use.budget;
    setText(meters[key].value, use.budget === null ? unit(use.used) : `${unit(use.used)} of ${unit(use.budget)}`);
    meters[key].bar.firstChild.style.width = `${Math.min(100, share * 100).toFixed(1)}%`;
    setClass(meters[key].bar, `bar ${use.level > 2 ? 'bad' : use.level > 0 ? 'warn' : ''}`.trim());
    setText(meters[key].note, use.budget === null ? 'no limit of its own' : use.level > 0 ? `${percent(share)} in use: ${PRESSURE[use.level]}` : `${percent(share)} in use`);
  }
}

// --- splits ---

const ARM_WORDS = { file: 'as in the file', operator: 'set by an operator', ramp: 'moved by its ramp' };

const BAR_ROOM = 2500; // an arm with less has no room for its name, which stands below the bar as well

function splitBar(split) {
  const bar = element('div.split-bar', { 'aria-hidden': 'true' }, ...split.arms.map((arm, i) => element(`span.arm${Math.min(i, 3)}`, null, arm.weight < BAR_ROOM ? '' : `${arm.service} ${weight(arm.weight)}`)));
  split.arms.forEach((arm, i) => {
    bar.children[i].style.flexGrow = arm.weight;
    bar.children[i].style.flexBasis = '0';
    bar.children[i].hidden = arm.weight === 0;
  });
  return bar;
}

// Steps as stairs: as wide as they hold (by the root, so that a day does not hide a minute), as
// high as the new arm's weight.
function stairs(ramp, width) {
  const height = 120;
  const base = height - 18;
  const sizes = ramp.steps.map((step) => Math.sqrt(Math.max(step.hold_ms, 1)));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const off = ['breached', 'aborted'].includes(ramp.phase);
  const svg = drawn('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': stepsInWords(ramp) });
  let x = 0;
  ramp.steps.forEach((step, i) => {
    const wide = Math.max(26, (sizes[i] / total) * (width - 26 * ramp.steps.length) + 26);
    const high = Math.max(3, Math.sqrt(step.weight / 10000) * (base - 22));
    const past = ramp.phase === 'done' || (!off && i < ramp.step);
    const here = !off && ramp.phase !== 'done' && i === ramp.step;
    svg.append(drawn('rect', { class: `stair ${off ? 'off' : here ? 'here' : past ? 'past' : ''}`, x: x + 1, y: base - high, width: wide - 3, height: high, rx: 2 }),
      drawn('text', { class: here ? 'here' : '', x: x + wide / 2, y: base - high - 5, 'text-anchor': 'middle' }, weight(step.weight)),
      drawn('text', { class: here ? 'here' : '', x: x + wide / 2, y: height - 4, 'text-anchor': 'middle' }, wide > 44 ? span(step.hold_ms / 1000) : ''));
    if (here) svg.append(drawn('path', { class: 'here-mark', d: `M${x + wide / 2 - 5} 1h10l-5 7z` }));
    x += wide;
  });
  return svg;
}

const stepsInWords = (ramp) => `Steps: ${ramp.steps.map((step, i) => `${weight(step.weight)} for ${span(step.hold_ms / 1000)}${i === ramp.step && ramp.phase === 'moves' ? ' (now)' : ''}`).join(', ')}`;

function rampLine(ramp, now) {
  const elapsed = now - ramp.since_ms / 1000;
  const left = (from) => ramp.steps.slice(from).reduce((sum, step) => sum + step.hold_ms / 1000, 0);
  const place = `step ${ramp.step + 1} of ${ramp.steps.length}`;
  if (ramp.phase === 'moves') {
    const here = ramp.steps[ramp.step].hold_ms / 1000 - elapsed;
    const next = ramp.steps[ramp.step + 1];
    const wait = here > 0 ? `in ${span(here)}` : 'as soon as enough requests were seen';
    return `${place}: ${weight(ramp.weight)} to ${ramp.to} · ${next ? `${weight(next.weight)} ${wait}` : `done ${wait}`} · all steps in ${span(Math.max(0, here) + left(ramp.step + 1))} at least`;
  }
  if (ramp.phase === 'done') return `done: ${weight(ramp.weight)} to ${ramp.to}, for ${span(elapsed)}`;
  if (ramp.phase === 'paused') return `paused at ${place} (${weight(ramp.weight)}), for ${span(elapsed)}`;
  if (ramp.phase === 'breached') return `went back ${span(elapsed)} ago at ${place}: ${ramp.reason ?? 'the new arm did worse'}`;
  if (ramp.phase === 'aborted') return `given up by an operator ${span(elapsed)} ago at ${place}`;
  return `${ramp.phase}, ${place}`;
}

const failureShare = (group) => (group.requests > 0 ? group.failures / group.requests : 0);

function guardTable(ramp) {
  const holder = element('div');
  const table = new Table(holder, 'What the guard of the ramp compares', [
    { title: 'What the guard sees', label: '', cell: (row) => row.name },
    { title: 'requests', number: true, cell: (row) => `${count(row.requests)}${row.requests < ramp.samples ? ` of ${count(ramp.samples)}` : ''}` },
    { title: 'failed', number: true, cell: (row) => `${count(row.failures)} (${percent(failureShare(row))})` },
    { title: 'p99', number: true, cell: (row) => duration(row.p99_us) },
  ]);
  table.show([{ name: `new: ${ramp.to}`, ...ramp.new_arm }, { name: 'the old one', ...ramp.control_group }], '');
  return holder;
}

function guardWords(ramp) {
  if (ramp.phase !== 'moves') return '';
  const few = Math.min(ramp.new_arm.requests, ramp.control_group.requests) < ramp.samples;
  return few ? `Too few requests to judge yet: it takes ${count(ramp.samples)} of each.`
    : `No breach. It goes back if the new arm fails ${weight(ramp.error_rate)} more often, or its p99 is ${weight(ramp.p99)} longer, and chance cannot explain it.`;
}

function showSplits(update) {
  const now = update.now_ms / 1000;
  const holder = byId('splits');
  byId('splits-section').hidden = state.splits.length === 0;
  const key = JSON.stringify(state.splits) + holder.clientWidth;
  if (holder.said !== key) {
    holder.said = key;
    const width = Math.max(240, Math.min(640, (window.innerWidth > 992 ? holder.clientWidth / 2 : holder.clientWidth) - 48));
    holder.replaceChildren(...state.splits.map((split) => splitCard(split, width)));
  }
  state.splits.forEach((split, i) => {
    const card = holder.children[i];
    const route = state.routes[split.route_row];
    setText(card.querySelector('.rate'), `${rate((route?.rate ?? 0) / 100)} requests/s`);
    if (split.ramp) setText(card.querySelector('.ramp-line'), rampLine(split.ramp, now));
  });
}

function splitCard(split, width) {
  const arms = element('p.arms', null, ...split.arms.map((arm) => element('span', null, element('b', null, `${arm.service} ${weight(arm.weight)}`),
    arm.weight === arm.file_weight ? '' : ` (file: ${weight(arm.file_weight)})`)));
  const card = element('article.card', null,
    element('div.card-head', null, element('h3', null, split.route), element('p.note.rate')),
    splitBar(split), arms, element('p.note', null, ARM_WORDS[split.by] ?? split.by));
  if (split.ramp) {
    card.append(element('div.ramp', null, element('p.ramp-line', null), stairs(split.ramp, width), split.ramp.phase === 'moves' ? guardTable(split.ramp) : null, element('p.note', null, guardWords(split.ramp))));
  }
  return card;
}

// --- services and origins ---

const STATES = {
  serves: ['●', 'good'], 'half-open': ['◐', 'warn'], ejected: ['▲', 'bad'], down: ['✕', 'bad'], drained: ['■', 'warn'],
};
const stateWord = (name) => (name === 'serves' ? 'serves' : `is ${name}`);
const CARDS_MOST = 24;
const cards = new Map();

function stateCell(origin) {
  const [sign, level] = STATES[origin.state] ?? ['○', 'warn'];
  return joined(element(`span.${level}-text`, null, element('span.sign', { 'aria-hidden': 'true' }, `${sign} `), origin.state),
    origin.why ? small(`${origin.why}${origin.back_in_s > 0 ? `; tried again in ${span(origin.back_in_s)}` : ''}`) : null);
}

function shareCell(origin) {
  const cell = joined(percent(origin.share), element('span.bar', { 'aria-hidden': 'true' }, element('i')));
  cell.lastChild.style.display = 'block';
  cell.lastChild.firstChild.style.width = `${(origin.share * 100).toFixed(1)}%`;
  return cell;
}

const errorCell = (row) => {
  const share = row.rate > 0 ? Math.min(1, row.failures / row.rate) : 0;
  return share === 0 ? '0%' : element(share < 0.01 ? 'span.warn-text' : 'span.bad-text', null, percent(share));
};

// "api:80@10.0.0.1": the address on a line of its own.
const nameParts = (name) => (name.includes('@') ? [name.slice(0, name.indexOf('@')), small(name.slice(name.indexOf('@') + 1))] : [name]);

function newServiceCard(name) {
  const head = element('p.note');
  const node = element('article.card', null, element('div.card-head', null, element('h3', null, name), head));
  const table = new Table(node, `Origins of ${name}`, [
    { title: 'Origin', label: '', cell: (row) => joined(...nameParts(row.name), row.backup || row.weight !== 1 ? small([row.weight !== 1 ? `weight ${row.weight}` : '', row.backup ? 'backup' : ''].filter(Boolean).join(', ')) : null) },
    { title: 'State', full: true, cell: stateCell },
    { title: 'Share', number: true, cell: shareCell },
    { title: 'Req/s', number: true, cell: (row) => rate((row.rate ?? 0) / 100) },
    { title: 'p50', number: true, cell: (row) => duration(row.p50_us) },
    { title: 'p99', number: true, cell: (row) => duration(row.p99_us) },
    { title: 'Busy/open', number: true, cell: (row) => joined(`${count(row.in_flight)}/${count(row.connections)}`, row.pending > 0 ? element('small.warn-text', null, `${count(row.pending)} pending`) : null) },
  ]);
  return { node, head, table };
}

function showServices() {
  const wanted = byId('services-filter').value.trim().toLowerCase();
  const byService = new Map(state.services.map((service) => [service.name, []]));
  for (const origin of state.origins) byService.get(origin.service)?.push(origin);
  const fitting = state.services.filter((service) => wanted === '' || service.name.toLowerCase().includes(wanted)
    || byService.get(service.name).some((origin) => origin.name.toLowerCase().includes(wanted)));
  // Those with something wrong first, then the busiest, where not all can be shown.
  const shown = fitting.length <= CARDS_MOST ? fitting
    : fitting.map((service) => ({ service, hurt: byService.get(service.name).some((origin) => origin.why !== '') }))
      .sort((a, b) => b.hurt - a.hurt || (b.service.rate ?? 0) - (a.service.rate ?? 0)).slice(0, CARDS_MOST).map(({ service }) => service);
  const nodes = shown.map((service) => {
    if (!cards.has(service.name)) cards.set(service.name, newServiceCard(service.name));
    const card = cards.get(service.name);
    const origins = byService.get(service.name);
    const sum = origins.reduce((total, origin) => total + (origin.rate ?? 0), 0);
    setText(card.head, `${rate((service.rate ?? 0) / 100)} req/s · ${percent(service.rate > 0 ? Math.min(1, service.failures / service.rate) : 0)} failed · p50 ${duration(service.p50_us)} · p99 ${duration(service.p99_us)}`);
    card.table.show(origins.map((origin) => ({ ...origin, share: sum > 0 ? (origin.rate ?? 0) / sum : 0 })), 'It has no origin just now.');
    return card.node;
  });
  const holder = byId('services');
  if (nodes.length !== holder.children.length || nodes.some((node, i) => holder.children[i] !== node)) holder.replaceChildren(...nodes);
  setText(byId('services-more'), fitting.length > shown.length ? `${shown.length} of ${fitting.length} services: those with trouble, then the busiest.` : fitting.length === 0 ? 'No service fits.' : '');
}

// --- routes ---

const ROUTES_MOST = 100;
let routesTable = null;

const armsOf = (route) => state.splits.find((split) => split.route === route.name)?.arms.map((arm) => `${arm.service} ${weight(arm.weight)}`).join(', ') ?? `${route.arms} services`;
const roomOf = (room) => (room ? small(`waiting room: ${count(room.active)} of ${count(room.places)} in, ${count(room.waiting)} wait, ${count(room.turned_away)} times turned away`) : null);
const cacheOf = (cache) => (cache ? small(`cache: ${count(cache.answers)} answers, ${bytes(cache.bytes)}, ${percent(cache.bytes / cache.max_bytes)} of what it may hold, ${count(cache.hits)} hits, ${count(cache.misses)} misses`) : null);
const goalOf = (route) => (route.service ? `→ ${route.service}` : route.arms ? `→ ${armsOf(route)}` : route.respond ? `answers ${route.respond}` : route.redirect ? `redirects to ${route.redirect}` : '–');

function showRoutes() {
  routesTable ??= new Table(byId('routes'), 'Routes in the order of the file', [
    { title: 'Route', label: '', cell: (row) => row.name },
    { title: 'Matches', full: true, cell: (row) => element('code', null, row.match) },
    { title: 'Goes to', full: true, label: '', cell: (row) => joined(goalOf(row), roomOf(row.waiting_room), cacheOf(row.cache)) },
    { title: 'Requests/s', number: true, cell: (row) => rate((row.rate ?? 0) / 100) },
    { title: 'Failed', number: true, cell: errorCell },
    { title: 'p50', number: true, cell: (row) => duration(row.p50_us) },
    { title: 'p99', number: true, cell: (row) => duration(row.p99_us) },
    { title: 'Total', number: true, cell: (row) => count(row.total ?? 0) },
  ]);
  const wanted = byId('routes-filter').value.trim().toLowerCase();
  const fitting = state.routes.filter((route) => wanted === '' || `${route.name} ${route.match} ${goalOf(route)}`.toLowerCase().includes(wanted));
  const shown = fitting.length <= ROUTES_MOST ? fitting : [...fitting].sort((a, b) => (b.rate ?? 0) - (a.rate ?? 0)).slice(0, ROUTES_MOST);
  routesTable.show(shown, wanted === '' ? 'The configuration has no routes.' : 'No route fits.');
  setText(byId('routes-more'), fitting.length > shown.length ? `The busiest ${shown.length} of ${fitting.length} routes; filter to see others.` : '');
}

// --- clients ---

let connectionsTable = null;
let cutsTable = null;

function showClients() {
  connectionsTable ??= new Table(byId('connections'), 'Client connections, the costliest first', [
    { title: 'Client', label: '', cell: (row) => joined(row.client, small(`${row.state}${row.route ? `, ${row.route}` : ''}`)) },
    { title: 'Held', number: true, cell: (row) => bytes(row.memory_bytes) },
    { title: 'For', number: true, cell: (row) => span(row.held_ms / 1000) },
    { title: 'Moved', number: true, cell: (row) => bytes(row.bytes_moved) },
    { title: 'Cost', number: true, cell: (row) => count(row.cost) },
  ]);
  connectionsTable.show(state.connections.filter((row) => row.cost > 0).slice(0, 8), 'No connection holds memory for long.');
  cutsTable ??= new Table(byId('cuts'), 'Connections closed by the gateway, by cause', [
    { title: 'Cause', label: '', cell: (row) => joined(row.cause, small(row.sentence)) },
    { title: 'Closed', number: true, cell: (row) => count(row.count) },
  ]);
  cutsTable.show([...state.cuts].sort((a, b) => b.count - a.count), 'None was closed.');
}

// --- changes ---

function changeItem(change, now) {
  const what = [change.action, change.subject].filter(Boolean).join(' ');
  const detail = ['weight', 'reset weight', 'ramp'].includes(change.action) && change.before && change.after ? [change.change, `${change.before} → ${change.after}`].filter(Boolean).join(': ') : change.before && change.before !== change.after && change.before.length < 60 ? `${change.before} → ${change.after}` : change.change ?? (change.after && change.after.length < 60 ? change.after : null);
  return element('li', null,
    element('time', { datetime: new Date(change.at_s * 1000).toISOString() }, clock(change.at_s), element('span.small', null, `${span(now - change.at_s)} ago`)),
    element('div', null,
      element('p', null, element('span.sign', { 'aria-hidden': 'true' }, change.ok ? '✓ ' : '✕ '), element(change.ok ? 'b' : 'b.bad-text', null, what), change.ok ? '' : ' failed',
        element('span.small', null, `by ${change.by}${change.uid === undefined ? '' : ` (uid ${change.uid})`}`)),
      detail ? element('p.what', null, detail) : null,
      change.why ? element('p.what', null, change.why) : null));
}

function showChanges(update) {
  const now = update.now_ms / 1000;
  const list = byId('changes');
  const key = `${JSON.stringify(state.changes)}${Math.floor(now / 5)}`;
  if (list.said === key) return;
  list.said = key;
  list.replaceChildren(...(state.changes.length > 0 ? state.changes.map((change) => changeItem(change, now)) : [element('li.empty', null, 'Nothing was changed since it started.')]));
}

// --- certificates ---

let certificatesTable = null;

function daysCell(certificate, now) {
  const days = Math.floor((certificate.not_after_s - now) / 86400);
  const level = days < 14 ? 'bad' : days < 30 ? 'warn' : 'good';
  const text = days < 0 ? 'expired' : `${days} ${days === 1 ? 'day' : 'days'}`;
  const cell = joined(element(`span.${level}-text`, null, `${{ good: '', warn: '! ', bad: '✕ ' }[level]}${text}`), element(level === 'good' ? 'span.bar' : `span.bar.${level}`, { 'aria-hidden': 'true' }, element('i')));
  cell.lastChild.style.display = 'block';
  cell.lastChild.firstChild.style.width = `${Math.max(2, Math.min(100, (days / 90) * 100)).toFixed(0)}%`;
  return cell;
}

function showCertificates(update) {
  byId('certificates-section').hidden = state.certificates.length === 0;
  certificatesTable ??= new Table(byId('certificates'), 'Certificates and CAs by the days they are good for', [
    { title: 'Subject', label: '', cell: (row) => joined(row.subject, small(row.names.join(', '))) },
    { title: 'Used by', full: true, cell: (row) => `${row.kind} ${row.used_by}${row.role === 'CA' ? ' (CA)' : ''}` },
    { title: 'Good until', cell: (row) => clock(row.not_after_s).slice(0, 10) },
    { title: 'Days left', cell: (row) => row.days },
  ]);
  const now = update.now_ms / 1000;
  certificatesTable.show([...state.certificates].sort((a, b) => a.not_after_s - b.not_after_s).map((row) => ({ ...row, days: daysCell(row, now) })), '');
}
