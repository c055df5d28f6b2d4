/**
 * Packs every public package and looks at the tarball as its users get it: publint, arethetypeswrong, and what must and
 * must not be inside. Prints one line for each package and fails with the reasons. Packages must have been built.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publicPackages, root, run, runPnpm } from './workspace.ts'

const required = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']
const forbidden: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a test file', /(^|\/)(tests?|__tests__)\/|\.(test|spec|test-d)\.[cm]?[jt]sx?(\.map)?$/],
  ['build information of TypeScript', /\.tsbuildinfo$/],
]

/** What is wrong with the content of a tarball. `files` are paths inside the package with forward slashes. */
export function contentProblems(files: readonly string[], manifest: string): string[] {
  const problems = required.filter((name) => !files.includes(name)).map((name) => `${name} is missing`)
  for (const [what, pattern] of forbidden) {
    problems.push(...files.filter((file) => pattern.test(file)).map((file) => `${file} is ${what}`))
  }
  for (const [, range] of manifest.matchAll(/"((?:workspace|catalog):[^"]*)"/g)) {
    problems.push(`package.json still says ${range}, which means nothing outside this repository`)
  }
  return problems
}

async function checkPackage(folder: string, work: string): Promise<string[]> {
  const tarball = join(work, 'package.tgz')
  const packed = await runPnpm(['pack', '--out', tarball], folder)
  if (!packed.ok) return [`pnpm pack failed:\n${packed.output}`]

  const unpacked = await run('tar', ['-xzf', tarball, '-C', work], work)
  if (!unpacked.ok) return [`the tarball cannot be read:\n${unpacked.output}`]
  const content = join(work, 'package')
  const files = (await readdir(content, { recursive: true })).map((file) => file.replaceAll('\\', '/'))
  const problems = contentProblems(files, await readFile(join(content, 'package.json'), 'utf8'))

  const bin = join(root, 'node_modules/.bin')
  const publint = await run(join(bin, 'publint'), ['run', tarball, '--strict'], root)
  if (!publint.ok) problems.push(`publint:\n${publint.output}`)
  const attw = await run(join(bin, 'attw'), [tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji'], root)
  if (!attw.ok) problems.push(`arethetypeswrong:\n${attw.output}`)
  return problems
}

if (import.meta.main) {
  for (const { name, folder } of await publicPackages()) {
    const work = await mkdtemp(join(tmpdir(), 'tokenwell-'))
    try {
      const problems = await checkPackage(folder, work)
      console.log(`${name}: ${problems.length === 0 ? 'fine' : 'not fit to be published'}`)
      for (const problem of problems) console.error(`  ${problem.replaceAll('\n', '\n    ')}`)
      if (problems.length > 0) process.exitCode = 1
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  }
}
