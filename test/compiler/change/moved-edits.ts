import { EDITED_SITE } from '../../builders/edited-site.ts'
import { compiled, lock, lockOf, ranUnder, replaced, REPOSITORY } from './editing.ts'
import type { Edit, Row } from './editing.ts'

/** All barclamps of the site lie in a repository of their own. */
const elsewhere = (ref: string): Edit => ({
  ...Object.fromEntries(Object.keys(EDITED_SITE).flatMap((path) => (path.startsWith('barclamps/') ? [[path, undefined]] : []))),
  ...replaced('site.yaml', '{ path: barclamps }', `{ git: ${REPOSITORY.url}, ref: ${ref}, path: all, replaces: [ntp] }`),
})
const pinned = (commit: string) => lockOf({ barclamps: { [`${REPOSITORY.url} main`]: commit } })

/** A virtual address in its range, and a role that is given it. */
const vip = (address: string, ranges = 'vip: 10.0.0.20-10.0.0.29'): Edit => ({
  ...replaced('admin-net.yaml', 'host: 10.0.0.50-10.0.0.99', `host: 10.0.0.50-10.0.0.99, ${ranges}`),
  'app.yaml': `${EDITED_SITE['app.yaml']?.replace('db: { nodes: [n1, n2] }', `db: { nodes: [n1, n2], attributes: { db: { tuning: { vip: "\${deployment.address('front')}" } } } }`)}addresses: { front: { network: admin, ${address} } }\n`,
})
const VIP = vip('range: vip')
const vipLock = compiled(VIP, lock).lock
const onto = ranUnder(VIP)
const DB: Pick<Row, 'gives' | 'failed'> = { gives: ['run app/db@n1', 'run app/db@n2'], failed: ['run app/db@n1', 'wipe install@n2'] }
export const ranges = (text: string): Edit => replaced('admin-net.yaml', 'host: 10.0.0.50-10.0.0.99', text)

/** What is the same from elsewhere, and addresses and ranges that move. */
export const MOVED_EDITS: readonly Row[] = [
  { edit: 'barclamps from git, with the same content', to: elsewhere('main'), lock: pinned(REPOSITORY.same), gives: [] },
  { edit: 'barclamps from git, with the same content, at a commit', to: elsewhere(REPOSITORY.same), gives: [] },
  { edit: 'barclamps from git, of which one is edited', to: elsewhere('main'), lock: pinned(REPOSITORY.edited), gives: ['run base/ntp@j1', 'run base/ntp@n1', 'run base/ntp@n2', 'run base/ntp@n3'], partial: ['run base/ntp@j1', 'run base/ntp@n1', 'run base/ntp@n2', 'wipe install@n3'], failed: ['run app/db@n1', 'run base/ntp@j1', 'run base/ntp@n1', 'run base/ntp@n3', 'wipe install@n2'] },
  { edit: 'a virtual address', to: VIP, ...DB },
  { edit: 'a virtual address that is there', to: VIP, lock: vipLock, onto, gives: [] },
  { edit: 'a virtual address written down as it is', to: vip('address: 10.0.0.20, range: vip'), lock: vipLock, onto, gives: [] },
  { edit: 'a virtual address written down otherwise', to: vip('address: 10.0.0.25, range: vip'), lock: vipLock, onto, ...DB },
  { edit: 'a virtual address in the lock edited', to: VIP, lock: { ...vipLock, addresses: { ...vipLock.addresses, 'admin/app:front': '10.0.0.27' } }, onto, ...DB },
  { edit: 'the range of a virtual address grown', to: vip('range: vip', 'vip: 10.0.0.15-10.0.0.29'), lock: vipLock, onto, gives: [] },
  { edit: 'a virtual address in another range', to: vip('range: other', 'vip: 10.0.0.20-10.0.0.29, other: 10.0.0.30-10.0.0.39'), lock: vipLock, onto, ...DB },
  { edit: 'a virtual address taken away', to: {}, lock: vipLock, onto, ...DB },
  { edit: 'the range of the nodes shrunk, around those that they have', to: ranges('host: 10.0.0.50-10.0.0.53'), gives: [] },
  { edit: 'the range of the nodes shrunk, so that some are left out', to: ranges('host: 10.0.0.53-10.0.0.99'), gives: [] },
  { edit: 'the range of the nodes split', to: ranges('host: 10.0.0.50-10.0.0.60, spare: 10.0.0.61-10.0.0.99'), gives: [] },
  { edit: 'a network of nobody shrunk', to: replaced('storage-net.yaml', '10.1.0.50-10.1.0.99', '10.1.0.50-10.1.0.51'), gives: [] },
]
