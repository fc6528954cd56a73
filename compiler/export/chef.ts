import type { Json } from '../../schemas/shape.ts'
import type { ExportedFile, ExportInput } from './exported-file.ts'

/** Node objects with the attributes as `normal`, and a data bag `crowbar` with the document of each role on each node. */
export function chefFiles({ cluster }: ExportInput): readonly ExportedFile[] {
  const text = (value: Json): string => `${JSON.stringify(value, null, 2)}\n`
  return cluster.nodes.flatMap((node): ExportedFile[] => [
    {
      path: `nodes/${node.fqdn}.json`,
      text: text({
        name: node.fqdn, chef_environment: '_default', json_class: 'Chef::Node', chef_type: 'node', automatic: {}, default: {}, override: {},
        normal: { ...node.attributes, crowbar: { site: cluster.site, node: node.name, addresses: node.addresses, os: node.os, tags: node.tags, labels: node.labels }, tags: node.tags },
        run_list: node.roles.flatMap(({ jig, entry }) => recipeOf(jig, entry)),
      }),
    },
    ...node.roles.map((role): ExportedFile => {
      const id = `${node.name}-${role.deployment}-${role.name}`
      return { path: `data_bags/crowbar/${id}.json`, text: text({ id, node: node.name, role: role.key, document: role.document ?? {} }) }
    }),
  ])
}

function recipeOf(jig: string, entry: string | null): readonly string[] {
  const match = jig === 'chef' ? /(?:^|\/)cookbooks\/([^/]+)\/recipes\/([^/]+)\.rb$/.exec(entry ?? '') : null
  return match === null ? [] : [`recipe[${match[1]}::${match[2]}]`]
}
