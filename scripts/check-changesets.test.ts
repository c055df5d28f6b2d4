import { describe, expect, test } from 'vitest'
import { countSentences, findProblems, parseChangeset, type WorkspacePackage } from './check-changesets.ts'

const packages: readonly WorkspacePackage[] = [
  { name: '@tokenwell/core', isPrivate: false, peers: [] },
  { name: '@tokenwell/express', isPrivate: false, peers: ['@tokenwell/core', 'express'] },
  { name: '@tokenwell/fastify', isPrivate: false, peers: ['@tokenwell/core', 'fastify'] },
  { name: '@tokenwell/alone', isPrivate: false, peers: ['express'] },
  { name: '@tokenwell/testing', isPrivate: true, peers: ['@tokenwell/core'] },
]

function changeset(releases: Record<string, string>, text = 'Requests get faster.') {
  return { file: 'a.md', releases: new Map(Object.entries(releases)), text }
}

describe('reading a changeset file', () => {
  test.each([
    ['single quotes', "---\n'@tokenwell/core': minor\n---\n\nOne thing.\n"],
    ['double quotes', '---\n"@tokenwell/core": minor\n---\nOne thing.'],
    ['no quotes and blank lines', '---\n\n@tokenwell/core: minor\n\n---\n\n\nOne thing.\n\n'],
    ['Windows line ends', "---\r\n'@tokenwell/core': minor\r\n---\r\n\r\nOne thing.\r\n"],
  ])('%s', (_, content) => {
    expect(parseChangeset('a.md', content)).toEqual({
      file: 'a.md',
      releases: new Map([['@tokenwell/core', 'minor']]),
      text: 'One thing.',
    })
  })

  test('several packages are kept in order', () => {
    const { releases } = parseChangeset(
      'a.md',
      "---\n'@tokenwell/core': major\n'@tokenwell/express': patch\n---\nText.",
    )
    expect([...releases]).toEqual([
      ['@tokenwell/core', 'major'],
      ['@tokenwell/express', 'patch'],
    ])
  })

  test('a rule in the text is not the end of the front matter', () => {
    expect(parseChangeset('a.md', "---\n'@tokenwell/core': minor\n---\nOne.\n\n---\n\nTwo.").text).toBe(
      'One.\n\n---\n\nTwo.',
    )
  })

  test('missing text and an empty front matter are read as such', () => {
    expect(parseChangeset('a.md', '---\n---\n')).toEqual({ file: 'a.md', releases: new Map(), text: '' })
    expect(parseChangeset('a.md', '---\n---')).toEqual({ file: 'a.md', releases: new Map(), text: '' })
  })

  test.each([
    ['no front matter', 'One thing.', 'a.md: no front matter between two lines of ---'],
    [
      'front matter that never ends',
      "---\n'@tokenwell/core': minor\n",
      'a.md: no front matter between two lines of ---',
    ],
    ['a line without a kind', "---\n'@tokenwell/core'\n---\nText.", 'a.md: cannot read'],
    ['quotes that differ', '---\n\'@tokenwell/core": minor\n---\nText.', 'a.md: cannot read'],
    ['a package named twice', '---\na: minor\na: patch\n---\nText.', 'a.md: names a twice'],
  ])('refuses %s', (_, content, message) => {
    expect(() => parseChangeset('a.md', content)).toThrow(message)
  })
})

test.each([
  ['', 0],
  ['  \n\n ', 0],
  ['Requests get faster', 1],
  ['Requests get faster.', 1],
  ['Requests get faster.\nSo do\nreplays.', 2],
  ['Node.js 22.19 is enough, e.g. `node`, i.e. Node.', 1],
  ['`upstream.close()` waits. `fetch. Twice.` stays one word.', 2],
  ['One! Two? Three.', 3],
  ['One\n\nTwo\n\nThree', 3],
  ['One:\n\n- two\n- three', 3],
  ['One:\n```ts\na. B. C.\n```', 1],
])('%j has %i sentences', (text, count) => {
  expect(countSentences(text)).toBe(count)
})

describe('checking changesets', () => {
  test.each([
    ['a minor of core alone', [changeset({ '@tokenwell/core': 'minor' })]],
    ['nothing pending', []],
    ['two sentences', [changeset({ '@tokenwell/core': 'patch' }, 'One. Two.')]],
    ['a major of an adapter alone', [changeset({ '@tokenwell/express': 'major' })]],
    [
      'majors of core and its adapters in one changeset',
      [changeset({ '@tokenwell/core': 'major', '@tokenwell/express': 'major', '@tokenwell/fastify': 'major' })],
    ],
    [
      'majors of core and its adapters in several changesets',
      [
        changeset({ '@tokenwell/core': 'major' }),
        changeset({ '@tokenwell/express': 'major' }),
        changeset({ '@tokenwell/fastify': 'major' }),
        changeset({ '@tokenwell/fastify': 'patch' }),
      ],
    ],
  ])('accepts %s', (_, changesets) => {
    expect(findProblems(changesets, packages)).toEqual([])
  })

  test.each([
    ['an unknown package', changeset({ '@tokenwell/nest': 'minor' }), 'which is no package of this repository'],
    ['a private package', changeset({ '@tokenwell/testing': 'minor' }), 'which is private and never published'],
    ['an unknown kind of release', changeset({ '@tokenwell/core': 'none' }), 'asks for none of @tokenwell/core'],
    ['no package', changeset({}), 'names no package'],
    ['an empty text', changeset({ '@tokenwell/core': 'minor' }, ''), 'has no text'],
    ['three sentences', changeset({ '@tokenwell/core': 'minor' }, 'One. Two. Three.'), 'has 3 sentences'],
  ])('refuses %s', (_, pending, message) => {
    expect(findProblems([pending], packages)).toEqual([expect.stringMatching(new RegExp(`^a\\.md: .*${message}`))])
  })

  test('a major of core asks for a major of each published package that has core as a peer', () => {
    const pending = [changeset({ '@tokenwell/core': 'major', '@tokenwell/express': 'minor' })]
    expect(findProblems(pending, packages)).toEqual([
      'a major of @tokenwell/core is pending, so @tokenwell/express needs a major too: its peer range changes',
      'a major of @tokenwell/core is pending, so @tokenwell/fastify needs a major too: its peer range changes',
    ])
  })
})
