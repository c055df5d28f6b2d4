/**
 * Checks what changesets does not: that each pending changeset speaks to users in a sentence or two about packages that
 * are published, and that a major of core brings a major of every package that has core as a peer dependency.
 */
import { glob, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Changeset {
  readonly file: string
  /** Package name to kind of release. */
  readonly releases: ReadonlyMap<string, string>
  readonly text: string
}

export interface WorkspacePackage {
  readonly name: string
  readonly isPrivate: boolean
  /** Names of its peer dependencies. */
  readonly peers: readonly string[]
}

const core = '@tokenwell/core'
const kinds = ['major', 'minor', 'patch']

/** Splits front matter and text. Throws a `SyntaxError` that says what it did not understand. */
export function parseChangeset(file: string, content: string): Changeset {
  const parts = /^---\r?\n([^]*?)^---[ \t]*(?:\r?\n([^]*))?$/m.exec(content)
  if (parts === null) throw new SyntaxError(`${file}: no front matter between two lines of ---`)
  const releases = new Map<string, string>()
  for (const line of (parts[1] ?? '').split(/\r?\n/)) {
    if (line.trim() === '') continue
    const entry = /^(['"]?)([^'":\s]+)\1:\s*([a-z]+)\s*$/.exec(line)
    if (entry === null) throw new SyntaxError(`${file}: cannot read ${JSON.stringify(line)} as '<package>': <kind>`)
    const [, , name = '', kind = ''] = entry
    if (releases.has(name)) throw new SyntaxError(`${file}: names ${name} twice`)
    releases.set(name, kind)
  }
  return { file, releases, text: (parts[2] ?? '').trim() }
}

/** Number of sentences. A list item or a paragraph is one even without a full stop; code counts as a word. */
export function countSentences(text: string): number {
  const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })
  return text
    .replaceAll(/```[^]*?```|`[^`]*`/g, 'Code')
    .replaceAll(/\b(?:e\.g|i\.e)\./g, 'namely')
    .split(/\n\s*\n|\n(?=\s*(?:[-*+]|\d+\.)\s)/)
    .map((block) => block.replaceAll(/\s+/g, ' ').trim())
    .filter((block) => block !== '')
    .reduce((sum, block) => sum + [...segmenter.segment(block)].length, 0)
}

/** What is wrong with the pending changesets, one line each; empty when all is well. */
export function findProblems(changesets: readonly Changeset[], packages: readonly WorkspacePackage[]): string[] {
  return [...changesets.flatMap((changeset) => problemsOf(changeset, packages)), ...missingMajors(changesets, packages)]
}

function problemsOf({ file, releases, text }: Changeset, packages: readonly WorkspacePackage[]): string[] {
  const problems: string[] = []
  if (releases.size === 0) problems.push('names no package')
  for (const [name, kind] of releases) {
    const found = packages.find((candidate) => candidate.name === name)
    if (found === undefined) problems.push(`names ${name}, which is no package of this repository`)
    else if (found.isPrivate) problems.push(`names ${name}, which is private and never published`)
    if (!kinds.includes(kind)) problems.push(`asks for ${kind} of ${name}, expected ${kinds.join(', ')}`)
  }
  const sentences = countSentences(text)
  if (sentences === 0) problems.push('has no text: say in a sentence what changes for users')
  if (sentences > 2) problems.push(`has ${sentences} sentences: two at most, the rest belongs in the documentation`)
  return problems.map((problem) => `${file}: ${problem}`)
}

function missingMajors(changesets: readonly Changeset[], packages: readonly WorkspacePackage[]): string[] {
  const hasMajor = (name: string) => changesets.some(({ releases }) => releases.get(name) === 'major')
  if (!hasMajor(core)) return []
  return packages
    .filter(({ name, isPrivate, peers }) => !isPrivate && peers.includes(core) && !hasMajor(name))
    .map(({ name }) => `a major of ${core} is pending, so ${name} needs a major too: its peer range changes`)
}

async function readChangesets(directory: string, problems: string[]): Promise<Changeset[]> {
  const changesets: Changeset[] = []
  for (const file of (await readdir(directory)).toSorted()) {
    if (!file.endsWith('.md') || file === 'README.md') continue
    try {
      changesets.push(parseChangeset(file, await readFile(join(directory, file), 'utf8')))
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      problems.push(error.message)
    }
  }
  return changesets
}

async function readPackages(root: string): Promise<WorkspacePackage[]> {
  const packages: WorkspacePackage[] = []
  for await (const path of glob('packages/*/package.json', { cwd: root })) {
    const manifest = JSON.parse(await readFile(join(root, path), 'utf8')) as {
      name: string
      private?: boolean
      peerDependencies?: Record<string, string>
    }
    const peers = Object.keys(manifest.peerDependencies ?? {})
    packages.push({ name: manifest.name, isPrivate: manifest.private === true, peers })
  }
  return packages
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..')
  const problems: string[] = []
  const changesets = await readChangesets(join(root, '.changeset'), problems)
  problems.push(...findProblems(changesets, await readPackages(root)))
  for (const problem of problems) console.error(problem)
  if (problems.length === 0) console.log(`${changesets.length} pending changesets: fine`)
  else process.exitCode = 1
}
