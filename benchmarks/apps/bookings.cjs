'use strict';
// Room bookings on plain Node: ObjectIds, epoch seconds, Link pages, short codes, charges. Run: node bookings.cjs PORT
const http = require('http');
const crypto = require('crypto');

const OFFSET = Number(process.env.BENCH_CLOCK || 0);
const SERVICES = new URL(process.env.BENCH_SERVICES);
const now = () => Date.now() / 1000 + OFFSET;
const seconds = (ahead = 0) => Math.floor(now() + ahead);

// A seeded generator (mulberry32), so that the same BENCH_SEED gives the same rooms.
function seeded(text) {
  let state = crypto.createHash('sha256').update(text).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

let serial = crypto.randomBytes(3).readUIntBE(0, 3);
const machine = crypto.randomBytes(5).toString('hex');
const objectId = () => seconds().toString(16).padStart(8, '0') + machine + (++serial & 0xffffff).toString(16).padStart(6, '0');
const code = () => Array.from({ length: 6 }, () => 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'[crypto.randomInt(32)]).join('');
const shuffled = (list) => list.map((one) => [crypto.randomInt(1 << 30), one]).sort((a, b) => a[0] - b[0]).map((pair) => pair[1]);

let hotel;
function fresh() {
  const random = seeded(`bookings:${process.env.BENCH_SEED || 1}`);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const rooms = Array.from({ length: 7 }, (_, index) => ({
    room: 101 + index * (1 + Math.floor(random() * 3)),
    type: pick(['single', 'double', 'suite']),
    nightly: 40 + Math.floor(random() * 300),
    view: pick(['sea', 'garden', 'Straße', 'none']),
    amenities: ['wifi', 'tv', 'desk', 'bath', 'balcony'].filter(() => random() > 0.4),
    smoking: random() > 0.8,
    score: Math.round(random() * 100) / 10,
  }));
  hotel = { rooms, tenant: pick(['lodge', 'resort']), bookings: new Map(), keys: new Map(), invoice: 20000 + crypto.randomInt(5000) };
}
fresh();

function call(method, path, body) {
  const data = body === undefined ? '' : JSON.stringify(body);
  const headers = data ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) } : {};
  return new Promise((resolve, reject) => {
    const options = { host: SERVICES.hostname, port: SERVICES.port, method, path: `/t/${hotel.tenant}${path}`, headers, agent: false };
    const request = http.request(options, (answer) => {
      let text = '';
      answer.on('data', (chunk) => { text += chunk; });
      answer.on('end', () => resolve([answer.statusCode, answer.statusCode < 300 ? JSON.parse(text) : null]));
    });
    request.on('error', reject);
    request.end(data);
  });
}

const routes = [
  ['POST', /^\/__reset$/, () => { fresh(); return [204]; }],
  ['POST', /^\/keys$/, (_, body) => {
    const key = `bk_live_${crypto.randomBytes(16).toString('hex')}`;
    hotel.keys.set(key, body.guest);
    return [201, { api_key: key, guest: body.guest, scopes: ['book', 'read'], created: seconds(), expires: seconds(86400) }];
  }],
  ['GET', /^\/rooms$/, (_, __, url) => {
    const page = Number(url.searchParams.get('page') || 1);
    const sorted = [...hotel.rooms].sort((a, b) => a.nightly - b.nightly || a.room - b.room);
    const items = sorted.slice((page - 1) * 3, page * 3);
    const more = page * 3 < sorted.length;
    const link = more ? { link: `</rooms?page=${page + 1}>; rel="next"` } : {};
    return [200, { page, pages: Math.ceil(sorted.length / 3), rooms: items }, { 'cache-control': 'max-age=30, public', ...link }];
  }],
  ['GET', /^\/rooms\/(\d+)$/, ([number]) => {
    const room = hotel.rooms.find((one) => one.room === Number(number));
    return room ? [200, { ...room, amenities: shuffled(room.amenities), checked: now() }] : [404, { error: 'room_unknown', room: Number(number) }];
  }],
  ['POST', /^\/quotes$/, async (_, body) => {
    const room = hotel.rooms.find((one) => one.room === body.room);
    const [, rate] = await call('GET', `/rates/EUR?quote=${body.currency}`);
    const total = Math.round(room.nightly * body.nights * rate.rate * 100) / 100;
    return [200, { quote_id: crypto.randomUUID(), room: room.room, nights: body.nights, total, currency: body.currency, rate: rate.rate, valid_until: seconds(900) }];
  }],
  ['POST', /^\/bookings$/, async (_, body, __, guest) => {
    if (!guest) return [401, { error: 'key_missing' }];
    const room = hotel.rooms.find((one) => one.room === body.room);
    const id = objectId();
    const amount = room.nightly * body.nights * 100;
    const [status, charge] = await call('POST', '/charges', { reference: id, amount, currency: 'EUR', customer: guest });
    if (status !== 201) return [402, { error: 'declined' }];
    const booking = {
      _id: id, code: code(), guest, room: { number: room.room, type: room.type }, nights: body.nights, from: body.from, paid: true,
      price: { amount, currency: 'EUR', charge: charge.id }, extras: body.extras || [], created: seconds(), invoice_no: ++hotel.invoice, __v: 0,
    };
    hotel.bookings.set(id, booking);
    return [201, booking, { location: `/bookings/${id}` }];
  }],
  ['GET', /^\/bookings$/, (_, __, ___, guest) => {
    const mine = [...hotel.bookings.values()].filter((one) => one.guest === guest);
    return [200, mine.map(({ _id, nights, paid, created, invoice_no }) => ({ _id, nights, paid, created, invoice_no }))];
  }],
  ['GET', /^\/bookings\/([0-9a-f]{24})$/, ([id]) => (hotel.bookings.has(id) ? [200, hotel.bookings.get(id)] : [404, { error: 'booking_unknown' }])],
  ['PUT', /^\/bookings\/([0-9a-f]{24})\/extras$/, ([id], body) => {
    const booking = hotel.bookings.get(id);
    Object.assign(booking, { extras: body.extras, __v: booking.__v + 1, changed: new Date(Date.now() + OFFSET * 1000).toISOString() });
    return [200, booking];
  }],
  ['DELETE', /^\/bookings\/([0-9a-f]{24})$/, async ([id]) => {
    const booking = hotel.bookings.get(id);
    const [, refund] = await call('POST', '/refunds', { reference: id, amount: booking.price.amount, currency: 'EUR', customer: booking.guest });
    hotel.bookings.delete(id);
    return [200, { _id: id, cancelled: true, refund: { id: refund.id, amount: refund.amount, created: refund.created }, fee: 0.5 }];
  }],
];

async function answer(request, text) {
  const url = new URL(request.url, 'http://app');
  const guest = hotel.keys.get(request.headers['x-api-key']);
  for (const [method, pattern, run] of routes) {
    const found = method === request.method && pattern.exec(url.pathname);
    if (found) return run(found.slice(1), text ? JSON.parse(text) : undefined, url, guest);
  }
  return [404, { error: 'not_found' }];
}

http.createServer((request, response) => {
  const began = process.hrtime.bigint();
  let text = '';
  request.on('data', (chunk) => { text += chunk; });
  request.on('end', async () => {
    let result;
    try {
      result = await answer(request, text);
    } catch (error) {
      result = [500, { error: 'internal', detail: String(error) }];
    }
    const [status, body, headers = {}] = result;
    const took = Number(process.hrtime.bigint() - began) / 1e6;
    response.writeHead(status, { ...(body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }), ...headers, 'x-request-id': crypto.randomUUID(), 'x-runtime': took.toFixed(6), vary: 'Accept, X-Api-Key' });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
