import { readdirSync } from 'node:fs'

/** The folder of the example sites. */
export const SITE_EXAMPLES = new URL('../../site-examples/', import.meta.url)

/** Every example site, by the name of its folder. */
export const EXAMPLE_SITES: readonly string[] = readdirSync(SITE_EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name).toSorted()
