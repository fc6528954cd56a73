/** The id that a node journals: `<epoch>/<step>/<n>`. No two attempts that were ever sent share one. */
export function attemptId(of: { readonly epoch: number; readonly step: string; readonly n: number }): string {
  return `${of.epoch}/${of.step}/${of.n}`
}

/** The parts of an attempt's id; undefined when it is none. Steps may have slashes in their ids. */
export function parseAttempt(attempt: string): { readonly epoch: number; readonly step: string; readonly n: number } | undefined {
  const [, epoch, step, n] = /^([0-9]+)\/(.+)\/([0-9]+)$/.exec(attempt) ?? []
  return step === undefined ? undefined : { epoch: Number(epoch), step, n: Number(n) }
}
