import type { BootAnswer, BootClient, Booter } from '../../../agent/boot/booter.ts'

/** Answers everybody alike, and remembers who asked. */
export function fixedBooter(answer: BootAnswer): Booter & { readonly asked: readonly BootClient[] } {
  const asked: BootClient[] = []
  return {
    asked,
    answer(client) {
      asked.push(client)
      return answer
    },
  }
}

/** Cannot answer. */
export const failingBooter: Booter = {
  answer() {
    throw new Error('the state is not there yet')
  },
}
