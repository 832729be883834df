// SPDX-License-Identifier: BSD-2-Clause
// A real gRPC library as client and as server: the test service of tests/scenario/grpc/test.proto,
// and clients of it. The library is installed once for each state of package-lock.json, into the
// user's cache folder.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defer } from './cleanup.mjs';
import { patient, within } from './wait.mjs';

const HERE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../grpc');
const WANTED = ['package.json', 'package-lock.json'];

function install(folder) {
    const room = fs.mkdtempSync(`${folder}.`);
    for (const name of WANTED) {
        fs.copyFileSync(path.join(HERE, name), path.join(room, name));
    }
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-fund', '--no-audit'], { cwd: room, stdio: 'pipe', timeout: patient(120_000) });
    try {
        fs.renameSync(room, folder);
    } catch {
        fs.rmSync(room, { recursive: true }); // another test was faster
    }
}

// Where npm is not to be had this is null, and tests say that they were not run.
function library() {
    const hash = crypto.createHash('sha256');
    for (const name of WANTED) {
        hash.update(fs.readFileSync(path.join(HERE, name)));
    }
    const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'turnpike-tests');
    const folder = path.join(cache, `grpc-${hash.digest('hex').slice(0, 16)}`);
    if (!fs.existsSync(folder)) {
        fs.mkdirSync(cache, { recursive: true });
        install(folder);
    }
    const load = createRequire(path.join(folder, 'package.json'));
    const grpc = load('@grpc/grpc-js');
    const read = (name) => grpc.loadPackageDefinition(load('@grpc/proto-loader').loadSync(
        path.join(HERE, name), { keepCase: true, arrays: true, longs: Number, enums: String, defaults: true })).grpc;
    return { grpc, testing: read('test.proto').testing, health: read('health.proto').health.v1 };
}

function hasNpm() {
    try {
        execFileSync('npm', ['--version'], { stdio: 'pipe' });
        return true;
    } catch {
        return false;
    }
}

export const available = hasNpm();
export const { grpc, testing, health } = available ? library() : {};

// --- the server -----------------------------------------------------------------------------

const ECHO = 'x-grpc-test-echo-initial';
const ECHO_LAST = 'x-grpc-test-echo-trailing-bin';

// What came of the metadata goes back: one line before the answer, one behind it.
function echoFirst(call) {
    const sent = call.metadata.get(ECHO);
    if (sent.length > 0) {
        const metadata = new grpc.Metadata();
        metadata.set(ECHO, sent[0]);
        call.sendMetadata(metadata);
    }
}

function echoLast(call) {
    const metadata = new grpc.Metadata();
    for (const value of call.metadata.get(ECHO_LAST)) {
        metadata.set(ECHO_LAST, value);
    }
    return metadata;
}

function failure({ code, message }) {
    return Object.assign(new Error(message), { code, details: message });
}

// UNAVAILABLE, as a head alone unless there is something to say `first`.
function refuse(call, callback, { first, pushback }) {
    const metadata = new grpc.Metadata();
    if (pushback) {
        metadata.set('grpc-retry-pushback-ms', pushback);
    }
    if (first) {
        call.sendMetadata(new grpc.Metadata());
    }
    callback(failure({ code: grpc.status.UNAVAILABLE, message: 'not now' }), null, metadata);
}

const zeros = (size) => ({ type: 0, body: Buffer.alloc(size) });

function implementation(server) {
    const note = (call, name) => {
        const seen = { name, call, cancelled: false, metadata: call.metadata.getMap(), deadline: call.getDeadline() };
        call.on('cancelled', () => (seen.cancelled = true));
        server.calls.push(seen);
    };
    return {
        EmptyCall(call, callback) {
            note(call, 'EmptyCall');
            if (server.unavailable) {
                refuse(call, callback, server.unavailable);
            } else {
                callback(null, {});
            }
        },
        UnaryCall(call, callback) {
            note(call, 'UnaryCall');
            echoFirst(call);
            const { response_status: status, response_size: size } = call.request;
            if (status?.code > 0) {
                callback(failure(status), null, echoLast(call));
            } else {
                callback(null, { payload: zeros(size) }, echoLast(call));
            }
        },
        StreamingInputCall(call, callback) {
            note(call, 'StreamingInputCall');
            let sum = 0;
            call.on('data', ({ payload }) => (sum += payload.body.length));
            call.on('end', () => callback(null, { aggregated_payload_size: sum }));
        },
        StreamingOutputCall(call) {
            note(call, 'StreamingOutputCall');
            for (const { size } of call.request.response_parameters) {
                call.write({ payload: zeros(size) });
            }
            call.end();
        },
        FullDuplexCall(call) {
            note(call, 'FullDuplexCall');
            echoFirst(call);
            call.on('data', (request) => {
                if (request.response_status?.code > 0) {
                    call.emit('error', failure(request.response_status));
                    return;
                }
                for (const { size } of request.response_parameters) {
                    call.write({ payload: zeros(size) });
                }
            });
            call.on('end', () => call.end(echoLast(call)));
            call.on('error', () => {});
        },
    };
}

// Plain, or with TLS where it gets a certificate { cert, key } (paths). `.calls` are what came. With
// `states` it has the health service, too, which says of a service what stands there. While
// `.unavailable` is set, EmptyCall is refused.
export async function grpcServer(t, { certificate, states, unavailable } = {}) {
    const server = { calls: [], states, unavailable: unavailable && {} };
    const own = new grpc.Server();
    const credentials = certificate
        ? grpc.ServerCredentials.createSsl(null, [{ cert_chain: fs.readFileSync(certificate.cert), private_key: fs.readFileSync(certificate.key) }])
        : grpc.ServerCredentials.createInsecure();
    own.addService(testing.TestService.service, implementation(server));
    if (states) {
        own.addService(health.Health.service, {
            Check: ({ request }, callback) => callback(null, { status: server.states[request.service] ?? 'SERVICE_UNKNOWN' }),
        });
    }
    server.port = await within('a gRPC server to listen', new Promise((resolve, reject) => {
        own.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
    }));
    server.address = `127.0.0.1:${server.port}`;
    server.close = () => own.forceShutdown();
    defer(t, server.close);
    return server;
}

// --- clients --------------------------------------------------------------------------------

// `ca`: a path; without one it is plain. `name` is what the certificate is for.
export function grpcClient(t, port, { ca, name = 'a.example', service = testing.TestService, options = {} } = {}) {
    const credentials = ca ? grpc.credentials.createSsl(fs.readFileSync(ca)) : grpc.credentials.createInsecure();
    const client = new service(`127.0.0.1:${port}`, credentials, {
        'grpc.enable_retries': 0,
        'grpc.use_local_subchannel_pool': 1,
        ...(ca && { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name }),
        ...options,
    });
    defer(t, () => client.close());
    return client;
}

// A unary call, with what came of it: { response, error, metadata, status }.
export function unary(client, method, request, { metadata = new grpc.Metadata(), ...options } = {}) {
    const result = {};
    return within(`the end of ${method}`, new Promise((resolve) => {
        const call = client[method](request, metadata, options, (error, response) => Object.assign(result, { error, response }));
        call.on('metadata', (first) => (result.metadata = first));
        call.on('status', (status) => resolve(Object.assign(result, { status })));
    }));
}

// A stream's answers one by one, and its status.
export class Answers {
    constructor(call) {
        this.call = call;
        this.there = [];
        this.waiting = [];
        this.count = 0;
        call.on('metadata', (metadata) => (this.metadata = metadata));
        call.on('data', (answer) => {
            this.count++;
            (this.waiting.shift() ?? ((each) => this.there.push(each)))(answer);
        });
        call.on('error', (error) => (this.error = error));
        this.status = new Promise((resolve) => call.on('status', resolve));
    }

    next() {
        return within('an answer of the stream', this.there.length > 0
            ? Promise.resolve(this.there.shift())
            : new Promise((resolve) => this.waiting.push(resolve)));
    }

    async ended(code, details) {
        const status = await within('the status of the stream', this.status);
        assert.equal(status.code, code, status.details);
        if (details !== undefined) {
            assert.equal(status.details, details);
        }
        return status;
    }
}
