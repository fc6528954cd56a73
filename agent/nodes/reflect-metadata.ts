/**
 * The three calls of the "reflect-metadata" proposal that the dependency container inside @peculiar/x509 needs at load time.
 * Import this before it. Metadata of a class is looked up along its prototypes; properties are not used and not supported.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>()

function getOwnMetadata(key: unknown, target: object): unknown {
  return metadata.get(target)?.get(key)
}

function getMetadata(key: unknown, target: object): unknown {
  for (let one: object | null = target; one !== null; one = Reflect.getPrototypeOf(one)) {
    if (metadata.get(one)?.has(key) === true) return getOwnMetadata(key, one)
  }
  return undefined
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  metadata.set(target, (metadata.get(target) ?? new Map<unknown, unknown>()).set(key, value))
}

if (!('getMetadata' in Reflect)) Object.assign(Reflect, { getOwnMetadata, getMetadata, defineMetadata })
