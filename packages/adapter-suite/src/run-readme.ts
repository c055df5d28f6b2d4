import { randomUUID } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'

/**
 * Runs the blocks of a package's README that are marked with one of `names`, as one module in its folder `test`, with real
 * values in place of the examples'. Gives the module, which exports `exported` too. `test` is the URL of a file there.
 */
export async function runReadme(
  test: string,
  names: string,
  replacements: Readonly<Record<string, string>>,
  exported: readonly string[],
): Promise<Record<string, unknown>> {
  const readme = await readFile(new URL('../README.md', test), 'utf8')
  if (/^```ts$/m.test(readme)) throw new Error('README.md: code without a mark is not run')
  const blocks = readme.matchAll(new RegExp(`^\`\`\`ts (?:${names})\n(.*?)^\`\`\`$`, 'gms'))
  let code = [...blocks].map(([, block]) => block).join('\n')
  for (const [example, real] of Object.entries(replacements)) {
    if (!code.includes(example)) throw new Error(`README.md, ${names}: there is no ${example}`)
    code = code.replaceAll(example, real)
  }
  const file = new URL(`readme-${randomUUID()}.ts`, test)
  try {
    await writeFile(file, `${code}\nexport { ${exported.join(', ')} }\n`)
    return (await import(/* @vite-ignore */ file.href)) as Record<string, unknown>
  } finally {
    await rm(file, { force: true })
  }
}
