// SPDX-License-Identifier: BSD-2-Clause
// The files of etc/examples do what doc/RECIPES.md says, and its commands print what stands there.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { keepAliveAgent, request } from './lib/client.mjs';
import { askJson, ctl, ctlLines } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import * as grpc from './lib/grpc.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { headingsOf, metricsPort, ROOT, runCommands, startRecipe } from './lib/recipes.mjs';
import { authority, secureRequest } from './lib/tls.mjs';
import { patient, until, within } from './lib/wait.mjs';
import { echoWebSockets, openWebSocket } from './lib/websocket.mjs';

// Of listeners in order, which port of a real machine they stand for.
function ports(gateway, ...real) {
    return Object.fromEntries(real.map((port, index) => [port, gateway.listeners[index].connectOptions]));
}

async function certificateFiles(t, names) {
    const ca = await authority(t);
    return { ca, own: await ca.issue({ names }) };
}

test('payments: a POST runs once, a key keeps its version', async (t) => {
    const { ca, own } = await certificateFiles(t, ['pay.example.com']);
    let breaks = false;
    const charges = [];
    const handler = (name) => async (asked, response, record) => {
        record.text = (await record.body()).toString();
        if (asked.method === 'POST') {
            charges.push(name);
        }
        if (breaks && asked.url !== '/health') {
            asked.socket.destroy();
            return;
        }
        response.end(name);
    };
    const old = await Promise.all([1, 2].map(() => httpOrigin(t, { handler: handler('payments-v1') })));
    const young = await httpOrigin(t, { handler: handler('payments-v2') });
    const gateway = await startRecipe(t, 'payments.yaml', {
        '10.0.0.11:9000': old[0].address, '10.0.0.12:9000': old[1].address, '10.0.1.11:9000': young.address,
        '/etc/turnpike/tls/pay.crt': own.cert, '/etc/turnpike/tls/pay.key': own.key,
        '0.0.0.0:443': '127.0.0.1:0', '0.0.0.0:80': '127.0.0.2:0',
    });
    const ask = (options) => secureRequest(gateway, { ca: ca.cert, name: 'pay.example.com', path: '/v1/charges', ...options });

    await until('all origins to be probed', async () => (await askJson(gateway, '/v1/services')).origins.every((row) => row.probes === 'up'));
    await runCommands(t, 'RECIPES.md', 'Payments', {
        gateway, ca: ca.cert, ports: ports(gateway, 443, 80),
    });

    breaks = true;
    charges.length = 0;
    const broken = await ask({ method: 'POST', body: 'amount=1' });
    assert.equal(broken.status, 502);
    assert.equal(charges.length, 1, 'the payment ran once');
    const large = await ask({ method: 'POST', body: 'a'.repeat(70000) });
    assert.equal(large.status, 413);
    assert.equal((await ask({})).headers['strict-transport-security'], 'max-age=31536000');
});

test('flash sale: as many as the shop bears, a line, and 503 for the others', async (t) => {
    const waiting = [];
    const shops = await Promise.all([1, 2].map(() => httpOrigin(t, { handler: async (asked, response, record) => {
        await record.body();
        if (asked.url === '/order/hold') {
            waiting.push(response);
        } else {
            response.end('shop');
        }
    } })));
    const pages = await httpOrigin(t, { name: 'pages' });
    const gateway = await startRecipe(t, 'flash-sale.yaml', {
        '10.0.2.11:8080': shops[0].address, '10.0.2.12:8080': shops[1].address, '10.0.2.21:8080': pages.address,
        '0.0.0.0:80': '127.0.0.1:0', 'max_concurrent_requests: 200': 'max_concurrent_requests: 3', 'max_pending: 400': 'max_pending: 2',
        'pending_timeout: 2s': 'pending_timeout: 60s', '{total: 10s}': '{total: 120s}',
        'max_connections: 50': 'max_connections: 60',
    });
    const order = (options) => request(gateway, { path: '/order/hold', method: 'POST', headers: { Host: 'shop.example.com' }, body: 'x', ...options });

    await runCommands(t, 'RECIPES.md', 'Flash sale', { gateway, ports: ports(gateway, 80) });
    const codes = [];
    const orders = Array.from({ length: 12 }, () => order().then((answer) => codes.push(answer.status)));
    await until('all but five to be refused', () => codes.filter((code) => code === 503).length === 7);
    await until('as many at the shop as it bears', () => waiting.length === 3);
    await until('the line to be served', () => {
        waiting.splice(0).forEach((answer) => answer.end('shop'));
        return codes.length === 12;
    });
    await Promise.all(orders);
    assert.equal(codes.filter((code) => code === 200).length, 5);

    const agent = keepAliveAgent(4);
    const answers = await Promise.all(Array.from({ length: 120 }, () => request(gateway, { headers: { Host: 'shop.example.com' }, agent })));
    agent.destroy();
    assert.ok(answers.some((answer) => answer.status === 429), 'a client that asks too much gets 429');
});

test('waiting room: one user is in, the next one waits, and all may pay', async (t) => {
    const tickets = await Promise.all([1, 2].map(() => httpOrigin(t, { name: 'tickets' })));
    const gateway = await startRecipe(t, 'waiting-room.yaml', {
        '10.0.2.31:8080': tickets[0].address, '10.0.2.32:8080': tickets[1].address, '0.0.0.0:80': '127.0.0.1:0', 'active: 2000': 'active: 1',
    });
    const ask = (headers) => request(gateway, { path: '/static/hall.svg', headers: { Host: 'tickets.example.com', ...headers } });

    await runCommands(t, 'RECIPES.md', 'Waiting room', { gateway, ports: ports(gateway, 80) });
    const seen = () => tickets.flatMap((origin) => origin.requests).filter((record) => record.url === '/static/hall.svg').length;
    assert.equal(seen(), 1);
    assert.equal((await ask()).body, 'tickets');
    assert.equal(seen(), 1, 'it is stored');
});

test('moving off an old service: users stay, testers choose, the ramp obeys', async (t) => {
    const [old, young] = await Promise.all(['orders-old', 'orders-new'].map((name) => httpOrigin(t, { name })));
    const gateway = await startRecipe(t, 'move-service.yaml', {
        '10.0.0.21:8080': old.address, '10.0.1.21:8080': young.address, '0.0.0.0:80': '127.0.0.1:0',
    });
    const ask = async (headers) => (await request(gateway, { path: '/orders/1', headers: { Host: 'orders.example.com', ...headers } })).body;

    // Until then no user is in the new arm; then some are, and stay.
    await until('the first step', async () => Number.parseFloat((await askJson(gateway, '/v1/ramps')).ramps[0].weight) > 0);
    const first = {};
    for (let user = 0; user < 100; user++) {
        first[user] = await ask({ Cookie: `uid=${user}` });
    }
    assert.ok(Object.values(first).filter((arm) => arm === 'orders-old').length >= 90, 'the first step is 1%');
    for (let user = 0; user < 100; user++) {
        assert.equal(await ask({ Cookie: `uid=${user}` }), first[user]);
    }
    await runCommands(t, 'RECIPES.md', 'Moving off an old service', { gateway, ports: ports(gateway, 80) });
    for (let user = 0; user < 100; user++) {
        assert.equal(await ask({ Cookie: `uid=${user}` }), 'orders-old', 'after `abort` all are back');
    }
});

test('WebSocket: it lives through a reload', async (t) => {
    const site = await httpOrigin(t, { name: 'site' });
    const chats = await Promise.all([1, 2].map(() => httpOrigin(t)));
    chats.forEach((origin) => echoWebSockets(origin.server));
    const gateway = await startRecipe(t, 'websocket.yaml', {
        '10.0.0.31:8080': site.address, '10.0.0.32:8080': chats[0].address, '10.0.0.33:8080': chats[1].address,
        '0.0.0.0:80': '127.0.0.1:0', 'www.example.com': 'a', // the host that lib/websocket.mjs asks for
    });
    const sockets = [];
    for (let i = 0; i < 8; i++) {
        sockets.push(await openWebSocket(t, gateway, `/chat/${i}`));
    }

    assert.ok(chats.every((origin) => origin.connections >= 3), 'each worker spreads what it has: least_requests');
    await runCommands(t, 'RECIPES.md', 'WebSocket', { gateway, ports: ports(gateway, 80), replace: { 'www.example.com': 'a' } });
    for (const socket of sockets) {
        assert.equal(await socket.echo('still here'), 'still here');
        await socket.close();
    }
});

test('gRPC: routes by method, probes by grpc.health.v1', { skip: grpc.available ? false : 'there is no npm' }, async (t) => {
    const { ca, own } = await certificateFiles(t, ['api.example.com']);
    const states = { 'shop.v1.Orders': 'SERVING' };
    const [orders, well, reports] = await Promise.all([0, 1, 2].map(() => grpc.grpcServer(t, { states: { ...states } })));
    const gateway = await startRecipe(t, 'grpc.yaml', {
        '10.0.0.51:50051': orders.address, '10.0.0.52:50051': well.address, '10.0.0.53:50051': reports.address,
        '/etc/turnpike/tls/api.crt': own.cert, '/etc/turnpike/tls/api.key': own.key, '0.0.0.0:443': '127.0.0.1:0',
    });
    const probes = async () => (await askJson(gateway, '/v1/services')).origins.map((row) => row.probes).filter((word) => word === 'up').length;

    await until('the origins of orders to be probed', async () => await probes() === 2);
    await runCommands(t, 'RECIPES.md', 'gRPC', { gateway, ca: ca.cert, ports: ports(gateway, 443) });
    orders.states['shop.v1.Orders'] = 'NOT_SERVING';
    await until('one of them to be down', async () => await probes() === 1, patient(60_000));
});

test('mutual TLS: partners by certificate, and ours to the origin', async (t) => {
    const { ca, own } = await certificateFiles(t, ['api.example.com']);
    const partners = await authority(t, 'Partners CA');
    const internal = await authority(t, 'Internal CA');
    const seen = [];
    const serving = await internal.issue({ names: ['localhost'] });
    const ours = await internal.issue({ names: ['gateway.internal'], client: true });
    const server = tls.createServer({
        cert: fs.readFileSync(serving.cert), key: fs.readFileSync(serving.key), ca: fs.readFileSync(internal.cert), requestCert: true,
    }, (socket) => {
        socket.on('error', () => {});
        socket.on('data', (bytes) => {
            seen.push({ head: bytes.toString('latin1'), by: socket.getPeerCertificate().subject?.CN });
            socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nledger');
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const gateway = await startRecipe(t, 'mutual-tls.yaml', {
        '/etc/turnpike/tls/api.crt': own.cert, '/etc/turnpike/tls/api.key': own.key, '/etc/turnpike/tls/partners-ca.crt': partners.cert,
        '/etc/turnpike/tls/internal-ca.crt': internal.cert, '/etc/turnpike/tls/gateway.crt': ours.cert, '/etc/turnpike/tls/gateway.key': ours.key,
        'ledger.internal:8443': `localhost:${server.address().port}`, '0.0.0.0:443': '127.0.0.1:0',
    });
    const cwd = temporaryFolder(t);
    for (const who of ['merchant', 'other']) {
        const made = await partners.issue({ names: [`${who}.example`], client: true });
        fs.copyFileSync(made.cert, path.join(cwd, `${who}.crt`));
        fs.copyFileSync(made.key, path.join(cwd, `${who}.key`));
    }

    await assert.rejects(secureRequest(gateway, { ca: ca.cert, name: 'api.example.com', path: '/merchant/1' }));
    await runCommands(t, 'RECIPES.md', 'Mutual TLS', {
        gateway, ca: ca.cert, cwd, ports: ports(gateway, 443),
    });
    assert.equal(seen.length, 1);
    assert.equal(seen[0].by, 'gateway.internal');
    assert.match(seen[0].head, /^client-cert: :/mi);
});

test('behind a load balancer: the client is whom a trusted balancer names', async (t) => {
    const app = await httpOrigin(t, { name: 'app' });
    const gateway = await startRecipe(t, 'behind-load-balancer.yaml', {
        '10.0.0.41:8080': app.address, '10.0.0.42:8080': `127.0.0.2:${app.port}`, '10.0.0.0/24': '127.0.0.1/32',
        '0.0.0.0:8080': '127.0.0.1:0', '0.0.0.0:8081': '127.0.0.2:0', 'lame_duck: 15s': 'lame_duck: 10m',
    });
    const health = { connectOptions: { host: '127.0.0.1', port: await metricsPort(gateway) } };

    await runCommands(t, 'RECIPES.md', 'Behind a load balancer', {
        gateway, ports: { ...ports(gateway, 8080, 8081), 9464: health.connectOptions },
        replace: { '--haproxy-protocol': '--haproxy-protocol --interface 127.0.0.1' },
    });
    assert.equal(app.requests[0].headers['x-forwarded-for'].split(', ')[0], '198.51.100.7');
    const client = await connect(t, gateway.listeners[1], { localAddress: '127.0.0.1' });
    client.send(`PROXY TCP4 203.0.113.9 127.0.0.2 1234 80\r\n${head('GET / HTTP/1.1', 'Host: app.example.com')}`);
    assert.equal((await client.answer()).status, 200);
    assert.equal(app.requests.at(-1).headers['x-forwarded-for'], '203.0.113.9');
    const stranger = await connect(t, gateway, { localAddress: '127.0.0.9' });
    assert.equal((await stranger.ask(head('GET / HTTP/1.1', 'Host: app.example.com', 'X-Forwarded-For: 198.51.100.7'))).status, 200);
    assert.equal(app.requests.at(-1).headers['x-forwarded-for'], '127.0.0.9', 'a stranger is not believed');

    gateway.signal('SIGTERM');
    await until('/health to say so', async () => (await request(health, { path: '/health' })).status === 503);
    assert.equal((await request(gateway, { headers: { Host: 'app.example.com' } })).status, 200);
});

async function ticketOf(gateway, session) {
    const socket = tls.connect({ ...gateway.connectOptions, servername: 'shop.example.com', session, rejectUnauthorized: false });
    let ticket;
    socket.on('session', (fresh) => (ticket = fresh));
    socket.write('GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n');
    await within('an answer', new Promise((resolve, reject) => {
        socket.on('data', () => {});
        socket.on('end', resolve);
        socket.on('error', reject);
    }));
    const resumed = socket.isSessionReused();
    socket.destroy();
    return { ticket, resumed };
}

test('several gateways: equal arms, and sessions of one are resumed by the other', async (t) => {
    const { ca, own } = await certificateFiles(t, ['shop.example.com']);
    const [old, young] = await Promise.all(['shop-v1', 'shop-v2'].map((name) => httpOrigin(t, { name })));
    const keys = path.join(temporaryFolder(t), 'tickets.key');
    fs.writeFileSync(keys, crypto.randomBytes(48), { mode: 0o600 });
    const start = () => startRecipe(t, 'several-gateways.yaml', {
        '10.0.0.51:8080': old.address, '10.0.0.52:8080': `127.0.0.2:${old.port}`, '10.0.1.51:8080': young.address,
        '/etc/turnpike/tls/shop.crt': own.cert, '/etc/turnpike/tls/shop.key': own.key, '/etc/turnpike/tls/tickets.key': keys,
        '0.0.0.0:443': '127.0.0.1:0', 'lame_duck: 10s': 'lame_duck: 0s',
    });
    const gateways = [await start(), await start()];
    const arm = async (gateway, user) => (await secureRequest(gateway, { ca: ca.cert, name: 'shop.example.com', headers: { Cookie: `uid=${user}` } })).body;

    const arms = new Set();
    for (let user = 0; user < 30; user++) {
        const seen = await arm(gateways[0], user);
        arms.add(seen);
        assert.equal(await arm(gateways[1], user), seen);
    }
    assert.equal(arms.size, 2);
    const { ticket } = await ticketOf(gateways[0]);
    assert.equal((await ticketOf(gateways[1], ticket)).resumed, true);
    await runCommands(t, 'RECIPES.md', 'Several gateways', { gateway: gateways[0], ca: ca.cert, ports: ports(gateways[0], 443) });
});

test('the page and the folder name the same recipes, and no section is left out here', async (t) => {
    const files = fs.readdirSync(path.join(ROOT, 'etc/examples')).filter((name) => name.endsWith('.yaml')).sort();
    const page = fs.readFileSync(path.join(ROOT, 'doc/RECIPES.md'), 'utf8');
    const linked = [...page.matchAll(/^\[etc\/examples\/(\S+)\]/gm)].map(([, name]) => name).sort();

    assert.deepEqual(linked, files);
    const own = fs.readFileSync(path.join(ROOT, 'tests/scenario/118-recipes.test.mjs'), 'utf8');
    for (const heading of headingsOf('RECIPES.md')) {
        assert.ok(own.includes(`'RECIPES.md', '${heading}'`), `the commands of "${heading}" are not run`);
    }

    const site = await httpOrigin(t, { name: 'site' });
    const gateway = await startRecipe(t, 'websocket.yaml', {
        '10.0.0.31:8080': site.address, '10.0.0.32:8080': site.address, '10.0.0.33:8080': `127.0.0.2:${site.port}`, '0.0.0.0:80': '127.0.0.1:0',
    });
    await runCommands(t, 'RECIPES.md', 'Recipes', { gateway, replace: { '/etc/turnpike/turnpike.yaml': gateway.file } });
    assert.equal((await ctl(gateway, 'status')).code, 0);
    assert.ok((await ctlLines(gateway, 'routes')).length > 1);
});
