import type { InstallDocument, InstallTarget } from './install.ts'
import { isErase } from './operation.ts'
import type { OperationPart } from './operation.ts'
import type { Step } from './plan.ts'
import { stepDocument } from './step-values.ts'
import type { ValueSource } from './step-values.ts'

/** The disks that a step writes by name, as its document says: of an installation and of an erasure. None as long as that is not known, and for every other step. */
export function stepTargets(step: Step, values: ValueSource['values']): readonly InstallTarget[] {
  if (step.kind !== 'install') return erasurePart(step, values)?.targets ?? []
  return (stepDocument(step, values)?.['install'] as unknown as InstallDocument | undefined)?.targets ?? []
}

/** The generation of its node up to which no installation counts once a step was sent; undefined for steps that do not hold their node. */
export function heldGeneration(step: Step, values: ValueSource['values']): number | undefined {
  return erasurePart(step, values)?.holds
}

function erasurePart(step: Step, values: ValueSource['values']): OperationPart | undefined {
  return isErase(step) ? (stepDocument(step, values)?.['operation'] as unknown as OperationPart | undefined) : undefined
}
