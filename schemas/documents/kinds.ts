import type { Shape, TypeOf } from '../shape.ts'
import { barclampShape } from './barclamp.ts'
import { agentShape, deploymentShape, operationShape, policyShape } from './deployment.ts'
import { conduitShape, networkShape } from './network.ts'
import { machineShape, nodeShape, nodesShape } from './node.ts'
import { rackShape } from './rack.ts'
import { hardwareShape, osShape, ruleShape, sourceShape } from './rule.ts'
import { siteShape } from './site.ts'

/** Every kind of document that a site repository or a barclamp may hold, and its shape. */
export const DOCUMENT_SHAPES = {
  site: siteShape,
  node: nodeShape,
  nodes: nodesShape,
  machine: machineShape,
  network: networkShape,
  conduit: conduitShape,
  rule: ruleShape,
  hardware: hardwareShape,
  os: osShape,
  source: sourceShape,
  deployment: deploymentShape,
  operation: operationShape,
  policy: policyShape,
  agent: agentShape,
  rack: rackShape,
  barclamp: barclampShape,
} as const satisfies Readonly<Record<string, Shape<unknown>>>

export type DocumentKind = keyof typeof DOCUMENT_SHAPES
export type DocumentOf<K extends DocumentKind> = TypeOf<(typeof DOCUMENT_SHAPES)[K]>
