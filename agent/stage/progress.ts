/** Told what is being done now, in one lower-case line, a few times a minute; must not throw. */
export type Progress = (message: string) => void
