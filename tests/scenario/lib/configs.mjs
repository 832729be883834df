// SPDX-License-Identifier: BSD-2-Clause
// The two lines of configuration that most scenarios start from.

// One service with these origins, one route to it. `service` and `route` add to them, `more`
// stands at top level.
export function through(origins, { service = '', route = '', more = '' } = {}) {
    const list = [origins].flat().map((origin) => `"${origin.address ?? origin}"`).join(', ');
    return `
services:
  app: {origins: [${list}]${service && `, ${service}`}}
routes:
  - {name: all, service: app${route && `, ${route}`}}
${more}
`;
}
