// SPDX-License-Identifier: BSD-2-Clause
// What every error answer of the gateway's own must look like (RFC 9457, RFC 9209).
import assert from 'node:assert/strict';

// Takes answers of the raw client; `error` is an RFC 9209 type, a list of them, or nothing.
export function assertOwnError(answer, status, error) {
    assert.equal(answer.status, status, `${answer.startLine} ${answer.get('proxy-status')} ${answer.text}`);
    assert.match(answer.get('content-type') ?? '', /^application\/problem\+json(;|$)/);
    const problem = answer.json;
    assert.equal(problem.status, status);
    for (const member of ['type', 'title', 'detail']) {
        assert.equal(typeof problem[member], 'string', `problem+json member ${member}`);
    }
    assert.equal(answer.all('proxy-status').length, 1, 'one Proxy-Status');
    const proxyStatus = answer.get('proxy-status');
    const shape = /^turnpike; *error=([a-z_]+)(?:; *details="((?:[^"\\]|\\.)*)")?/.exec(proxyStatus);
    assert.ok(shape, `Proxy-Status: ${proxyStatus}`);
    const delivery = /; *delivery=(not-sent|unread|maybe|answered)$/.exec(proxyStatus);
    assert.ok(delivery, `Proxy-Status: ${proxyStatus}`);
    assert.equal(problem.delivery, delivery[1]);
    if (error) {
        const allowed = [error].flat();
        assert.ok(allowed.includes(shape[1]), `Proxy-Status: ${proxyStatus}, wanted error=${allowed.join(' or ')}`);
    }
    return problem;
}
