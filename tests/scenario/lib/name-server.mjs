// SPDX-License-Identifier: BSD-2-Clause
// A name server on loopback, by hand (RFC 1035): UDP, and TCP where an answer is too long for it.
// A zone maps "TYPE name" to records; a test changes it at any time. A test that wants bad bytes gives
// `forge`, which is called with the question and returns the whole answer, or nothing for silence.
import dgram from 'node:dgram';
import net from 'node:net';
import { defer } from './cleanup.mjs';
import { within } from './wait.mjs';

export const TYPES = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 };
const UDP_MOST = 512;
const NAME_ERROR = 3;

export function nameBytes(name) {
    const labels = name === '.' ? [] : name.replace(/\.$/, '').split('.');
    return Buffer.concat([...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])), Buffer.from([0])]);
}

function dataOf(type, record) {
    if (type === 'A') {
        return Buffer.from(record.split('.').map(Number));
    }
    if (type === 'CNAME') {
        return nameBytes(record);
    }
    const numbers = Buffer.alloc(6);
    numbers.writeUInt16BE(record.priority ?? 0, 0);
    numbers.writeUInt16BE(record.weight ?? 0, 2);
    numbers.writeUInt16BE(record.port ?? 0, 4);
    return Buffer.concat([numbers, nameBytes(record.target)]);
}

export function recordBytes(type, record, ttl, owner = Buffer.from([0xc0, 12])) {
    const data = dataOf(type, record);
    const head = Buffer.alloc(10);
    head.writeUInt16BE(TYPES[type], 0);
    head.writeUInt16BE(1, 2);
    head.writeUInt32BE(ttl, 4);
    head.writeUInt16BE(data.length, 8);
    return Buffer.concat([owner, head, data]);
}

function readQuestion(bytes) {
    const labels = [];
    let at = 12;
    while (bytes[at] !== 0) {
        labels.push(bytes.toString('latin1', at + 1, at + 1 + bytes[at]));
        at += 1 + bytes[at];
    }
    const type = bytes.readUInt16BE(at + 1);
    return {
        id: bytes.readUInt16BE(0),
        name: labels.join('.').toLowerCase(),
        type: Object.keys(TYPES).find((each) => TYPES[each] === type) ?? String(type),
        section: bytes.subarray(12, at + 5),
    };
}

export function message(question, records, { code = 0, truncated = false, count = records.length } = {}) {
    const head = Buffer.alloc(12);
    head.writeUInt16BE(question.id, 0);
    head.writeUInt16BE(0x8180 | (truncated ? 0x0200 : 0) | code, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(count, 6);
    return Buffer.concat([head, question.section, ...records]);
}

class NameServer {
    constructor() {
        this.zone = new Map();
        this.ttl = 1;
        this.questions = [];
        this.forge = null;
        this.held = []; // while `holds`: what to do to let each answer go
        this.holds = false;
    }

    set(type, name, records) {
        if (records === null) {
            this.zone.delete(`${type} ${name}`);
        } else {
            this.zone.set(`${type} ${name}`, [records].flat());
        }
    }

    // Origins as targets: each gets a name and an address of its own.
    targets(name, list) {
        this.set('SRV', name, list.map(({ origin, target = `${origin.name}.example.test`, ...rest }) => {
            if (origin) {
                this.set('A', target, '127.0.0.1');
            }
            return { target, port: origin?.port, ...rest };
        }));
    }

    asked(type) {
        return this.questions.filter((each) => each.type === type).length;
    }

    answerTo(question) {
        if (this.forge && question.type === 'SRV') {
            return this.forge(question);
        }
        const alias = this.zone.get(`CNAME ${question.name}`);
        const owner = alias ? alias[0] : question.name;
        const records = this.zone.get(`${question.type} ${owner}`) ?? [];
        const known = [...this.zone.keys()].some((key) => key.endsWith(` ${owner}`));
        return message(question, [
            ...(alias ?? []).map((record) => recordBytes('CNAME', record, this.ttl)),
            ...records.map((record) => recordBytes(question.type, record, this.ttl, alias ? nameBytes(owner) : undefined)),
        ], { code: known ? 0 : NAME_ERROR });
    }

    take(bytes, send) {
        const question = readQuestion(bytes);
        this.questions.push(question);
        const go = () => {
            const answer = this.answerTo(question);
            if (answer) {
                send(answer, question);
            }
        };
        if (this.holds && question.type === 'SRV') {
            this.held.push(go);
        } else {
            go();
        }
    }

    release() {
        this.holds = false;
        for (const go of this.held.splice(0)) {
            go();
        }
    }

    async listen() {
        this.tcp = net.createServer((socket) => {
            let bytes = Buffer.alloc(0);
            socket.on('error', () => {});
            socket.on('data', (more) => {
                bytes = Buffer.concat([bytes, more]);
                while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
                    const end = 2 + bytes.readUInt16BE(0);
                    this.take(bytes.subarray(2, end), (answer) => {
                        const length = Buffer.alloc(2);
                        length.writeUInt16BE(answer.length);
                        socket.write(Buffer.concat([length, answer]));
                    });
                    bytes = bytes.subarray(end);
                }
            });
        });
        await new Promise((resolve) => this.tcp.listen(0, '127.0.0.1', resolve));
        this.port = this.tcp.address().port;
        this.address = `127.0.0.1:${this.port}`;
        this.udp = dgram.createSocket('udp4');
        this.udp.on('message', (bytes, from) => this.take(bytes, (answer, question) => {
            const short = answer.length <= UDP_MOST ? answer : message(question, [], { truncated: true });
            this.udp?.send(short, from.port, from.address);
        }));
        await new Promise((resolve, reject) => {
            this.udp.once('error', reject);
            this.udp.bind(this.port, '127.0.0.1', resolve);
        });
    }

    // There is no listener any more.
    close() {
        this.udp?.close();
        this.tcp?.close();
        this.udp = this.tcp = null;
    }
}

export async function nameServer(t) {
    for (let tries = 0; ; tries++) {
        const server = new NameServer();
        try {
            await within('a name server to listen', server.listen());
            defer(t, () => server.close());
            return server;
        } catch (error) {
            server.close(); // another process has that port for UDP
            if (tries === 20) {
                throw error;
            }
        }
    }
}
