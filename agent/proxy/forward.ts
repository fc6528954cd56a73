import type { Forward } from '../boot/http/http-server.ts'
import type { Proxy } from './proxy.ts'
import { answerProxy, tunnel } from './serve-proxy.ts'
import type { ServeProxyOptions } from './serve-proxy.ts'

/** A proxy beside what else is served at an address. Staged repositories, whose path is a hash, are not its own. */
export function forwardTo(proxy: Proxy, options: Pick<ServeProxyOptions, 'tunnels' | 'online'>): Forward {
  return {
    accepts: target => /^(https?:\/\/|\/(git|files|npm|pypi)\/|\/metrics$)/i.test(target) || (target.startsWith('/apt/') && !/^\/apt\/[0-9a-f]{64}\//.test(target)),
    handle: (request, response) => answerProxy(proxy, request, response),
    attach: server => tunnel(server, options),
  }
}
