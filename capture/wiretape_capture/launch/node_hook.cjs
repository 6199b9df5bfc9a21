'use strict';
// Sends the HTTP and WebSocket connections of a Node process through wiretape's proxy, loopback included.
// It is loaded by NODE_OPTIONS=--require. Node 20's fetch, http and https read no proxy variables, and newer Node's
// own support covers its default agents only. Other TCP connections (databases, brokers) are left alone.

const { WIRETAPE_PROXY, NO_PROXY = '' } = process.env;
if (WIRETAPE_PROXY) {
  const direct = new Set(NO_PROXY.split(',').map((name) => name.trim()).filter(Boolean));
  const [proxyHost, proxyPort] = WIRETAPE_PROXY.split(':');
  install({ host: proxyHost, port: Number(proxyPort) }, direct);
}

function install(proxy, direct) {
  const net = require('net');
  const tls = require('tls');
  const http = require('http');
  const https = require('https');
  const connect = net.connect;
  const secureConnect = tls.connect;

  // A socket whose 'connect' comes after the proxy's answer to CONNECT. Returned at once, because the callers of
  // net.connect and of an agent's createConnection expect a socket and not a promise.
  class Tunnel extends net.Socket {
    constructor(target, options) {
      super({ allowHalfOpen: options.allowHalfOpen });
      this.target = target;
      this.connecting = true;
      this.inner = connect({ ...proxy, signal: options.signal });
      this.inner.on('error', (error) => this.destroy(error));
      this.inner.on('close', () => this.readableEnded || this.ended || this.destroy());
      this.inner.once('connect', () => this.inner.write(connectRequest(target)));
      this.inner.on('data', (chunk) => this.answer(chunk));
      if (options.timeout) this.setTimeout(options.timeout);
    }

    answer(chunk) {
      this.head = this.head ? Buffer.concat([this.head, chunk]) : chunk;
      const end = this.head.indexOf('\r\n\r\n');
      if (end < 0) return this.head.length > 65536 && this.destroy(refused(this.target, 'endless answer'));
      const line = this.head.toString('latin1', 0, this.head.indexOf('\r\n'));
      if (!/^HTTP\/1\.[01] 2\d\d/.test(line)) return this.destroy(refused(this.target, line));
      const rest = this.head.subarray(end + 4);
      this.inner.removeAllListeners('data');
      this.inner.on('data', (data) => this.arrived(data));
      this.inner.on('end', () => { this.ended = true; this.push(null); });
      this.connecting = false;
      this.emit('connect');
      this.emit('ready');
      if (rest.length) this.arrived(rest);
    }

    arrived(data) {
      this._unrefTimer();
      if (!this.push(data)) this.inner.pause();
    }

    whenConnected(action) {
      if (this.connecting) this.once('connect', action);
      else action();
    }

    _read() { this.whenConnected(() => this.inner.resume()); }

    _write(chunk, encoding, done) {
      this._unrefTimer();
      this.whenConnected(() => this.inner.write(chunk, encoding, done));
    }

    _writev(chunks, done) {
      this._unrefTimer();
      this.whenConnected(() => {
        this.inner.cork();
        chunks.forEach(({ chunk, encoding }, i) =>
          this.inner.write(chunk, encoding, i === chunks.length - 1 ? done : undefined));
        this.inner.uncork();
      });
    }

    _final(done) {
      this.whenConnected(() => (this.inner.writable ? this.inner.end(() => done()) : done()));
    }

    _destroy(error, done) {
      this.inner.destroy();
      super._destroy(error, done);
    }

    get pending() { return this.connecting; }
    ref() { this.inner.ref(); return this; }
    unref() { this.inner.unref(); return this; }
    setNoDelay(on) { this.inner.setNoDelay(on); return this; }
    setKeepAlive(on, delay) { this.inner.setKeepAlive(on, delay); return this; }
    _getsockname() { return this.inner._getsockname(); }
    _getpeername() {
      const { host, port } = this.target;
      const version = net.isIP(host);
      return version ? { address: host, port, family: `IPv${version}` } : {};
    }
  }

  // Where a connection wants to go, or null when it must be left alone: Unix sockets, our proxy, cloud metadata.
  function destination(options, defaultPort) {
    if (!options || options.socketPath || options.socket) return null;
    const host = String(options.host || options.hostname || 'localhost').replace(/^\[|\]$/g, '');
    const port = Number(options.port || defaultPort);
    if (direct.has(host) || (host === proxy.host && port === proxy.port)) return null;
    return { host, port };
  }

  // A TLS socket over a tunnel has a handle of its own, which does not keep the event loop alive; the tunnel does.
  function tied(socket, tunnel) {
    const { ref, unref } = socket;
    socket.ref = function () { tunnel.ref(); return ref.call(this); };
    socket.unref = function () { tunnel.unref(); return unref.call(this); };
    return socket;
  }

  function patchAgent(prototype, defaultPort, secure) {
    const original = prototype.createConnection;
    prototype.createConnection = function createConnection(options, ...rest) {
      const own = this && this.options && this.options.proxyEnv; // Node 24: the agent goes to a proxy by itself
      const target = typeof options === 'object' && !own ? destination(options, defaultPort) : null;
      if (!target) return original.call(this, options, ...rest);
      const tunnel = new Tunnel(target, options);
      return secure ? tied(original.call(this, { ...options, socket: tunnel }, ...rest), tunnel) : tunnel;
    };
  }

  // undici and ws call net.connect and tls.connect, as databases do. What they are about to dial is announced in
  // the same tick: by undici on a diagnostics channel, by ws in the createConnection that it gives to a request.
  let announced = null;

  function announce(target) {
    announced = target;
    queueMicrotask(() => { announced = null; });
  }

  function expected(options, defaultPort) {
    const target = announced;
    const found = target && typeof options === 'object' && !options.path && destination(options, defaultPort);
    if (!found || found.host !== target.host || found.port !== target.port) return null;
    announced = null;
    return found;
  }

  function patchRequest(module, name, defaultPort) {
    const original = module[name];
    module[name] = function (...args) {
      const at = args.findIndex((arg) => arg && typeof arg === 'object' && typeof arg.createConnection === 'function');
      if (at >= 0) {
        const dial = args[at].createConnection;
        const createConnection = function (options, ...rest) {
          announce(destination(options, defaultPort));
          return dial.call(this, options, ...rest);
        };
        args[at] = Object.assign(Object.create(Object.getPrototypeOf(args[at])), args[at], { createConnection });
      }
      return original.apply(this, args);
    };
  }

  patchAgent(http.Agent.prototype, 80, false);
  patchAgent(https.Agent.prototype, 443, true);
  for (const name of ['request', 'get']) {
    patchRequest(http, name, 80);
    patchRequest(https, name, 443);
  }
  net.connect = function (options, ...rest) {
    const target = expected(options, 80);
    return target ? new Tunnel(target, options) : connect.call(this, options, ...rest);
  };
  tls.connect = function (options, ...rest) {
    const target = expected(options, 443);
    if (!target) return secureConnect.call(this, options, ...rest);
    const tunnel = new Tunnel(target, options);
    return tied(secureConnect.call(this, { ...options, socket: tunnel }, ...rest), tunnel);
  };
  require('diagnostics_channel').channel('undici:client:beforeConnect').subscribe(({ connectParams }) => {
    const { hostname, port, protocol } = connectParams;
    announce(destination({ host: hostname, port }, protocol === 'https:' ? 443 : 80));
  });
  require('module').syncBuiltinESMExports();

  function connectRequest({ host, port }) {
    const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: node/${process.versions.node}\r\n\r\n`;
  }

  // What the app would have seen without a proxy: its own code may look at `code`.
  function refused({ host, port }, line) {
    const error = new Error(`connect ECONNREFUSED ${host}:${port} (wiretape's proxy said: ${line})`);
    return Object.assign(error, { code: 'ECONNREFUSED', errno: -111, syscall: 'connect', address: host, port });
  }
}
