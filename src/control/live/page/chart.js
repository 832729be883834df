// Charts that move: a sample a second, the newest at the right. Drawn as paths; the value under
// the pointer, or under the cursor that the arrow keys move, is told as text.

const MARGIN = { left: 52, right: 6, top: 6, bottom: 18 };

function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= value);
  return step * power;
}

class Chart {
  // series: [{name, mark, values: (samples, i) => number or null, join: 'mean' or 'max'}]
  constructor(options) {
    Object.assign(this, options);
    this.at = null; // seconds before now, under the cursor
    this.now = element('p.now');
    this.lines = this.series.map((row) => drawn('path', { class: `line ${row.mark}` }));
    this.areas = this.series.map((row) => (row.area ? drawn('path', { class: `area ${row.mark}` }) : null));
    this.grid = drawn('g', { class: 'grid' });
    this.cursor = drawn('line', { class: 'cursor', visibility: 'hidden' });
    this.svg = drawn('svg', { tabindex: '0', role: 'img' }, this.grid, ...this.areas.filter(Boolean), ...this.lines, this.cursor);
    this.values = this.series.map(() => element('b'));
    this.when = element('span', { 'aria-live': 'off' });
    this.legend = element('p.legend', null, ...this.series.map((row, i) => element('span', null,
      drawnSample(row.mark), `${row.name} `, this.values[i])), this.when);
    this.node = element('figure.card.chart', null, element('h3', null, this.title), this.now, this.svg, this.legend);
    this.svg.addEventListener('pointermove', (event) => this.point(event));
    this.svg.addEventListener('pointerleave', () => this.moveTo(null));
    this.svg.addEventListener('keydown', (event) => this.key(event));
    this.svg.addEventListener('blur', () => this.moveTo(null));
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const inside = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    this.moveTo(Math.round((1 - Math.min(1, Math.max(0, inside))) * (this.range - 1)));
  }

  key(event) {
    const steps = { ArrowLeft: 1, ArrowRight: -1, PageUp: 60, PageDown: -60 };
    if (event.key === 'Escape') this.moveTo(null);
    else if (event.key in steps) {
      this.when.setAttribute('aria-live', 'polite');
      this.moveTo(Math.min(this.range - 1, Math.max(0, (this.at ?? 0) + steps[event.key])));
      event.preventDefault();
    }
  }

  moveTo(at) {
    this.at = at;
    this.draw(this.samples, this.range);
  }

  // As many points as there are columns of pixels, at most.
  points(row, width) {
    const length = this.samples.requests.length;
    const first = Math.max(0, length - this.range);
    const columns = Math.max(1, Math.min(this.range, Math.floor(width / 1.5)));
    const each = this.range / columns;
    const points = [];
    for (let column = 0; column < columns; column++) {
      const from = Math.max(first, Math.floor(length - this.range + column * each));
      const to = Math.floor(length - this.range + (column + 1) * each);
      let sum = 0;
      let most = null;
      let seen = 0;
      for (let i = from; i < to; i++) {
        const value = row.values(this.samples, i);
        if (value === null) continue;
        seen++;
        sum += value;
        most = most === null ? value : Math.max(most, value);
      }
      points.push(seen === 0 ? null : row.join === 'max' ? most : sum / seen);
    }
    return points;
  }

  scale(all) {
    const values = all.flat().filter((value) => value !== null && value > 0);
    if (this.log) {
      const low = 10 ** Math.floor(Math.log10(Math.min(...values, 1000)));
      const high = Math.max(low * 10, 10 ** Math.ceil(Math.log10(Math.max(...values, 1))));
      const marks = [];
      for (let mark = low; mark <= high; mark *= 10) marks.push(mark);
      return { marks, of: (value) => Math.log(Math.max(value, low) / low) / Math.log(high / low) };
    }
    const top = niceTop(Math.max(this.least, ...values));
    return { marks: [0, top / 2, top], of: (value) => value / top };
  }

  draw(samples, range) {
    this.samples = samples;
    this.range = range;
    const width = this.svg.clientWidth;
    const height = this.svg.clientHeight;
    if (width === 0 || samples === undefined) return;
    const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    const all = this.series.map((row) => this.points(row, inner.width));
    const scale = this.scale(all);
    const y = (value) => MARGIN.top + inner.height * (1 - Math.min(1, scale.of(value)));
    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.drawGrid(scale, inner, y);
    all.forEach((points, i) => this.drawLine(points, i, inner, y));
    this.drawCursor(inner);
    this.tell();
  }

  drawGrid(scale, inner, y) {
    const parts = scale.marks.map((mark) => drawn('line', { x1: MARGIN.left, x2: MARGIN.left + inner.width, y1: y(mark), y2: y(mark) }));
    const words = scale.marks.map((mark) => drawn('text', { x: MARGIN.left - 6, y: y(mark) + 4, 'text-anchor': 'end' }, this.unit(mark)));
    const times = [[0, 'start', `−${this.range / 60} min`], [0.5, 'middle', `−${this.range / 120} min`], [1, 'end', 'now']]
      .map(([share, anchor, text]) => drawn('text', { x: MARGIN.left + inner.width * share, y: MARGIN.top + inner.height + 14, 'text-anchor': anchor }, text));
    this.grid.replaceChildren(...parts, ...words, ...times);
  }

  drawLine(points, i, inner, y) {
    const step = inner.width / Math.max(1, points.length - 1);
    let path = '';
    let area = '';
    let from = null;
    points.forEach((value, column) => {
      const x = (MARGIN.left + column * step).toFixed(1);
      if (value === null) {
        if (from !== null) area += `L${(MARGIN.left + (column - 1) * step).toFixed(1)} ${y(0)}Z`;
        from = null;
        return;
      }
      area += from === null ? `M${x} ${y(0)}L${x} ${y(value).toFixed(1)}` : `L${x} ${y(value).toFixed(1)}`;
      path += `${from === null ? 'M' : 'L'}${x} ${y(value).toFixed(1)}`;
      from = x;
    });
    if (from !== null) area += `L${from} ${y(0)}Z`;
    this.lines[i].setAttribute('d', path);
    this.areas[i]?.setAttribute('d', area);
  }

  drawCursor(inner) {
    this.cursor.setAttribute('visibility', this.at === null ? 'hidden' : 'visible');
    if (this.at !== null) {
      const x = MARGIN.left + inner.width * (1 - this.at / (this.range - 1));
      for (const [key, value] of [['x1', x], ['x2', x], ['y1', MARGIN.top], ['y2', MARGIN.top + inner.height]]) this.cursor.setAttribute(key, value);
    }
  }

  // The value under the cursor, or the newest one.
  tell() {
    const i = this.samples.requests.length - 1 - (this.at ?? 0);
    const told = this.series.map((row) => (i < 0 ? null : row.values(this.samples, i)));
    told.forEach((value, row) => setText(this.values[row], value === null ? '–' : this.unit(value)));
    setText(this.when, this.at === null ? '' : this.at === 0 ? 'now' : `${span(this.at)} ago`);
    if (this.at === null) {
      setText(this.now, '');
      this.now.append(told[this.main] === null ? '–' : this.unit(told[this.main]), ' ', element('small', null, this.caption(this.samples, i)));
      this.svg.setAttribute('aria-label', `${this.title}, the last ${span(this.range)}; now ${this.series.map((row, j) => `${row.name} ${this.values[j].textContent}`).join(', ')}. Arrow keys move through the time.`);
    }
  }
}

function drawnSample(mark) {
  return drawn('svg', { viewBox: '0 0 26 10', 'aria-hidden': 'true' }, drawn('path', { class: `line ${mark}`, d: 'M1 5H25' }));
}

const traffic = {
  samples: { second: 0, requests: [], failures: [], p50_us: [], p99_us: [], p999_us: [], connections: [] },
  range: 300,
};

const hasRequests = (samples, i) => samples.requests[i] > 0;
const latency = (key) => (samples, i) => (hasRequests(samples, i) ? samples[key][i] : null);

const charts = [
  new Chart({
    title: 'Requests per second', main: 0, least: 1, unit: rate,
    caption: (samples, i) => `requests/s, ${count(samples.connections[i] ?? 0)} connections`,
    series: [{ name: 'requests/s', mark: 'a', area: true, join: 'mean', values: (samples, i) => samples.requests[i] }],
  }),
  new Chart({
    title: 'Failed requests', main: 0, least: 0.01, unit: percent,
    caption: (samples, i) => `of requests, ${count(samples.failures[i] ?? 0)}/s: 5xx or broken off`,
    series: [{ name: 'failed', mark: 'e', area: true, join: 'max', values: (samples, i) => (hasRequests(samples, i) ? samples.failures[i] / samples.requests[i] : null) }],
  }),
  new Chart({
    title: 'Latency', main: 1, log: true, unit: (us) => duration(us),
    caption: () => 'for 99% of requests',
    series: [
      { name: 'p50', mark: 'a', join: 'max', values: latency('p50_us') },
      { name: 'p99', mark: 'b', join: 'max', values: latency('p99_us') },
      { name: 'p99.9', mark: 'c', join: 'max', values: latency('p999_us') },
    ],
  }),
];

function drawCharts() {
  for (const chart of charts) chart.draw(traffic.samples, traffic.range);
}

function addSample(second, sample) {
  const { samples } = traffic;
  if (second <= samples.second) return;
  for (const [key, list] of Object.entries(samples)) {
    if (key === 'second') continue;
    // Seconds that were missed are not known.
    for (let missed = samples.second + 1; missed < second && missed > samples.second && second - missed < 3600; missed++) list.push(0);
    list.push(sample[key]);
    if (list.length > 3600) list.splice(0, list.length - 3600);
  }
  samples.second = second;
}
