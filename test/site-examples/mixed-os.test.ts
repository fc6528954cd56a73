import { expect, test } from 'vitest'
import { stageOrder } from '../../agent/stager/order.ts'
import { compileTree, exampleTree, success } from '../compiler/compiling.ts'

test('without its own os documents the site installs each machine with a builtin release, and staging knows all that it asks for', () => {
  const { files } = exampleTree('mixed-os')
  const { plan } = success(compileTree({ commit: null, files: new Map([...files].filter(([path]) => path !== 'os.yaml')) }))
  const staged = plan.steps.filter(({ kind }) => kind === 'stage').map(({ id }) => id.slice('stage/'.length))
  expect(staged).toEqual(['debian-11', 'debian-12', 'debian-13'].flatMap((os) => [`packages-${os}`]).concat(['rootfs-debian-11', 'rootfs-debian-12', 'rootfs-debian-13']))
  expect(staged.filter((name) => name.startsWith('rootfs')).map((name) => stageOrder(name, plan).os)).toEqual([
    { family: 'debian', version: '11', suite: 'bullseye', architecture: 'amd64' },
    { family: 'debian', version: '12', suite: 'bookworm', architecture: 'amd64' },
    { family: 'debian', version: '13', suite: 'trixie', architecture: 'amd64' },
  ])
  expect(Object.values(plan.artifacts).filter(({ kind }) => kind === 'packages').map(({ os, packages }) => [os, packages])).toEqual([['debian-11', ['ntp']], ['debian-12', ['ntpsec']], ['debian-13', ['ntpsec']]])
})
