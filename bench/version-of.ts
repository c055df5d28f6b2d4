import { readFileSync } from 'node:fs'

/** The version of a package that is installed below one of these folders, seen from this one. */
export function versionOf(name: string, ...folders: readonly string[]): string {
  for (const folder of folders.length === 0 ? ['./node_modules', '../node_modules'] : folders) {
    try {
      const manifest = readFileSync(new URL(`${folder}/${name}/package.json`, import.meta.url), 'utf8')
      return (JSON.parse(manifest) as { version: string }).version
    } catch {
      // The next folder may have it.
    }
  }
  return 'unknown'
}
