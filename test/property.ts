import fc from 'fast-check'

/**
 * fast-check with the same seed in every run, so that a run says something about the commit and not about its luck.
 * `CROWBAR_SEED=N` takes another, to look further.
 */
fc.configureGlobal({ seed: Number(process.env['CROWBAR_SEED'] ?? 20121004) })

export default fc
