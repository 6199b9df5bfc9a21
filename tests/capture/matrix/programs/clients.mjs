// Calls every service URL with every Node client and prints one line for each call.
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';

const require = createRequire(process.cwd() + '/');

function byModule(url, options) {
  return new Promise((resolve, reject) => {
    const module = url.startsWith('https:') ? https : http;
    module.get(url, options, (response) => {
      let body = '';
      response.on('data', (chunk) => { body += chunk; }).on('end', () => resolve(body)).on('error', reject);
    }).on('error', reject);
  });
}

const agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };

const clients = {
  http: (url) => byModule(url, {}),
  'http-agent': (url) => byModule(url, { agent: agents[new URL(url).protocol] }),
  'http-no-agent': (url) => byModule(url, { agent: false }),
  fetch: async (url) => (await fetch(url)).text(),
};

try {
  const axios = require('axios');
  clients.axios = async (url) => (await axios.get(url, { responseType: 'text' })).data;
  clients['axios-proxy-off'] = async (url) => (await axios.get(url, { responseType: 'text', proxy: false })).data;
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
}

for (const base of process.argv.slice(2)) {
  for (const [name, client] of Object.entries(clients)) {
    const late = new Promise((resolve) => { setTimeout(resolve, 20000, 'no answer in 20 s').unref(); });
    const answer = client(`${base}/node/${name}`).catch((error) => `${error} ${error.cause ?? ''}`);
    const outcome = await Promise.race([answer, late]);
    console.log([`node/${name}`, base, String(outcome).replaceAll('\n', ' ')].join('\t'));
  }
}
