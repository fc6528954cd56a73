import type { Plan } from '../../schemas/plan.ts'
import { readHostAptSources, sourcesForSuite } from '../stage/apt-sources.ts'
import type { AptSource } from '../stage/apt-sources.ts'
import { StagerError } from './order.ts'

/**
 * Where the packages of an operating system of the plan come from.
 *
 * @throws {StageError} APT_NO_SOURCE; {StagerError} SET_UNSUPPORTED when its source is no apt source with a suite.
 */
export async function sourcesOf(os: string, plan: Plan): Promise<readonly AptSource[]> {
  const source = plan.sources[plan.systems[os]?.source ?? '']
  const suite = source?.suites[0]
  if (source?.type !== 'apt' || suite === undefined) throw new StagerError('SET_UNSUPPORTED', `${os} has no apt source that names a suite`, { retryable: false })
  return sourcesForSuite(await readHostAptSources(), suite)
}
