// SPDX-License-Identifier: BSD-2-Clause
// Asks the control interface (admin.socket), and reads Prometheus text as strictly as the
// format's description allows.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { request } from './client.mjs';
import { BINARY } from './gateway.mjs';
import { within } from './wait.mjs';

// A line of configuration; the folder is the gateway's own.
export function adminIn(folder, more = '') {
    return `admin: {socket: "${folder}/admin.sock"${more && `, ${more}`}}`;
}

export function ask(gateway, target, options = {}) {
    return request(gateway, { socketPath: `${gateway.folder}/admin.sock`, path: target, ...options });
}

export async function askJson(gateway, target, options = {}) {
    const answer = await ask(gateway, target, options);
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.headers['content-type'], 'application/json');
    return JSON.parse(answer.body);
}

// A refusal says what is wrong and what to do.
export async function askRefused(gateway, target, status, options = {}) {
    const answer = await ask(gateway, target, options);
    assert.equal(answer.status, status, answer.body);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    const problem = JSON.parse(answer.body);
    assert.equal(problem.status, status);
    assert.ok(problem.detail.length > 0 && problem.remedy.length > 0, answer.body);
    return problem;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/;
const VALUE = /^ ([0-9]+(?:\.[0-9]+)?|\+Inf|NaN)$/;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

function parseSample(line) {
    const name = NAME.exec(line);
    assert.ok(name, `no metric name: ${line}`);
    let rest = line.slice(name[0].length);
    const labels = {};
    if (rest[0] === '{') {
        rest = rest.slice(1);
        while (rest[0] !== '}') {
            const label = LABEL.exec(rest);
            assert.ok(label, `no label at "${rest}" in: ${line}`);
            assert.ok(!(label[1] in labels), `label twice: ${line}`);
            labels[label[1]] = label[2].replace(/\\(.)/g, (_, byte) => (byte === 'n' ? '\n' : byte));
            rest = rest.slice(label[0].length);
            if (rest[0] === ',') {
                rest = rest.slice(1);
                assert.notEqual(rest[0], '}', `comma before the end: ${line}`);
            } else {
                assert.equal(rest[0], '}', line);
            }
        }
        rest = rest.slice(1);
    }
    const value = VALUE.exec(rest);
    assert.ok(value, `no value at "${rest}" in: ${line}`);
    return { name: name[0], labels, value: Number(value[1].replace('+Inf', 'Infinity')) };
}

function familyOf(sample, families) {
    if (families.has(sample.name)) {
        return families.get(sample.name);
    }
    const base = sample.name.replace(/_(bucket|sum|count)$/, '');
    const family = families.get(base);
    assert.ok(family && family.type === 'histogram', `sample of no family: ${sample.name}`);
    return family;
}

function keyOf(sample, without) {
    const { [without]: _, ...labels } = sample.labels;
    return JSON.stringify(Object.entries(labels).sort());
}

function checkHistogram(family) {
    const groups = new Map();
    for (const sample of family.samples) {
        const key = keyOf(sample, 'le');
        const group = groups.get(key) ?? { buckets: [] };
        groups.set(key, group);
        if (sample.name.endsWith('_bucket')) {
            group.buckets.push({ le: Number(sample.labels.le.replace('+Inf', 'Infinity')), count: sample.value });
        } else {
            group[sample.name.slice(family.name.length + 1)] = sample.value;
        }
    }
    for (const group of groups.values()) {
        const { buckets } = group;
        assert.ok(buckets.length > 2, `${family.name}: too few buckets`);
        assert.equal(buckets.at(-1).le, Infinity, `${family.name}: no +Inf`);
        for (let i = 1; i < buckets.length; i++) {
            assert.ok(buckets[i].le > buckets[i - 1].le, `${family.name}: edges do not rise`);
            assert.ok(buckets[i].count >= buckets[i - 1].count, `${family.name}: counts fall`);
        }
        assert.equal(group.count, buckets.at(-1).count, `${family.name}: _count is not +Inf`);
        assert.equal(typeof group.sum, 'number', `${family.name}: no _sum`);
    }
}

// Families by name: { name, type, help, samples: [{ name, labels, value }] }. Throws where the
// text breaks a rule of the format 0.0.4.
export function parseMetrics(text) {
    assert.ok(text.endsWith('\n'), 'the last line has no end');
    const families = new Map();
    const seen = new Set();
    let open = null;
    for (const line of text.slice(0, -1).split('\n')) {
        const comment = /^# (HELP|TYPE) ([^ ]+) (.*)$/.exec(line);
        if (comment) {
            const [, kind, name, rest] = comment;
            assert.equal(NAME.exec(name)?.[0], name, `no metric name: ${line}`);
            if (kind === 'HELP') {
                assert.ok(!families.has(name), `HELP twice: ${name}`);
                open = { name, help: rest, type: null, samples: [] };
                families.set(name, open);
            } else {
                assert.equal(open?.name, name, `TYPE without HELP before it: ${line}`);
                assert.equal(open.type, null, `TYPE twice: ${name}`);
                assert.ok(TYPES.includes(rest), line);
                open.type = rest;
            }
            continue;
        }
        const sample = parseSample(line);
        const family = familyOf(sample, families);
        assert.equal(family, open, `${sample.name} stands outside its family`);
        assert.ok(family.type, `no TYPE: ${family.name}`);
        const key = `${sample.name} ${keyOf(sample)}`;
        assert.ok(!seen.has(key), `twice: ${key}`);
        seen.add(key);
        family.samples.push(sample);
    }
    for (const family of families.values()) {
        assert.ok(family.type !== 'counter' || /_total$/.test(family.name), `a counter's name ends in _total: ${family.name}`);
        if (family.type === 'histogram') {
            checkHistogram(family);
        }
    }
    return families;
}

// The value of one sample; all its labels must be as given.
export function valueOf(families, name, labels = {}) {
    const wanted = JSON.stringify(Object.entries(labels).sort());
    for (const family of families.values()) {
        for (const sample of family.samples) {
            if (sample.name === name && keyOf(sample) === wanted) {
                return sample.value;
            }
        }
    }
    assert.fail(`no sample ${name}${wanted}`);
}

export async function metricsOf(gateway) {
    const answer = await ask(gateway, '/metrics');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    return parseMetrics(answer.body);
}

const CTL = path.join(path.dirname(BINARY), 'turnpikectl');

// Runs turnpikectl against this gateway; a sanitizer's report shows as exit status and on stderr.
export function ctl(gateway, ...words) {
    const run = new Promise((resolve) => {
        execFile(CTL, ['-s', `${gateway.folder}/admin.sock`, ...words], { cwd: gateway.folder }, (error, stdout, stderr) => {
            resolve({ code: error ? error.code : 0, stdout, stderr });
        });
    });
    return within(`turnpikectl ${words.join(' ')}`, run);
}

// The lines it prints; it must succeed.
export async function ctlLines(gateway, ...words) {
    const result = await ctl(gateway, ...words);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stderr, '');
    return result.stdout.split('\n').slice(0, -1);
}

// It must fail, and say why.
export async function ctlRefused(gateway, pattern, ...words) {
    const result = await ctl(gateway, ...words);
    assert.equal(result.code, 1, `${result.stdout}${result.stderr}`);
    assert.match(result.stderr, pattern);
    assert.equal(result.stdout, '');
}
