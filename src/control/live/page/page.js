// The stream of updates, and what it moves.

let last = null;
let heard = 0;

// A table's rows by number, those only that changed.
function take(update) {
  for (const name of Object.keys(state)) {
    const table = update[name];
    if (table === undefined) continue;
    for (const [row, value] of Object.entries(table.rows)) state[name][row] = value;
    state[name].length = table.count;
  }
}

const ABOUT = [
  ['version', 'version', (update) => update.process.version],
  ['running for', 'up', (update) => span(update.now_ms / 1000 - update.process.started_s)],
  ['configuration', 'config', (update) => `${update.process.config ?? '–'}, generation ${update.process.generation ?? 1}`],
  ['workers', 'workers', (update) => `${update.process.workers}, pid ${update.process.pid}`],
];
const about = {};

function showAbout(update) {
  for (const [title, key, text] of ABOUT) {
    if (!about[key]) {
      about[key] = element('dd');
      byId('about').append(element('div', null, element('dt', null, title), about[key]));
    }
    setText(about[key], text(update));
  }
}

function showState() {
  const silent = Date.now() - heard > 5000;
  const pill = byId('state');
  const [level, text] = last === null && heard === 0 ? ['warn', '◌ connecting …'] : silent ? ['bad', '✕ no answer: showing the past']
    : last.process.stopping ? ['warn', '■ stopping'] : ['good', '● live'];
  setClass(pill, `pill ${level}`);
  setText(pill, text);
  const requests = last?.sample.requests;
  document.title = last === null ? 'Turnpike' : silent ? 'Turnpike: no answer' : `${rate(requests)} req/s · Turnpike`;
}

function show() {
  if (last === null) return;
  showAlerts(last);
  showAbout(last);
  showMeters(last);
  showSplits(last);
  showServices();
  showRoutes();
  showClients();
  showChanges(last);
  showCertificates(last);
  drawCharts();
}

function onUpdate(event) {
  last = JSON.parse(event.data);
  heard = Date.now();
  take(last);
  addSample(last.second, last.sample);
  if (!document.hidden) show();
  showState();
}

function onHistory(event) {
  const history = JSON.parse(event.data);
  traffic.samples = history;
  heard = Date.now();
}

let stream = null;

function listen() {
  stream = new EventSource('/live');
  stream.addEventListener('history', onHistory);
  stream.addEventListener('update', onUpdate);
  // A browser gives up on a stream that was refused; the gateway may only be restarting.
  stream.addEventListener('error', () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

// A page in the background is not seen: it asks for nothing.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    stream.close();
  } else {
    listen();
  }
});
for (const chart of charts) byId('charts').append(chart.node);
for (const input of document.querySelectorAll('input[name=range]')) {
  input.addEventListener('change', () => {
    traffic.range = Number(input.value);
    drawCharts();
  });
  if (input.checked) traffic.range = Number(input.value);
}
byId('routes-filter').addEventListener('input', show);
byId('services-filter').addEventListener('input', show);
addEventListener('resize', show);
setInterval(showState, 1000);
listen();
