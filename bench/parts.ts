import { existsSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** One part of the benchmark: a file that runs by itself. */
export interface Part {
  /** As it is called on the command line; its file is named so. */
  readonly name: string
  readonly title: string
  /** Minutes and seconds, roughly, of a whole run. */
  readonly takes: string
  /** What a smoke run starts it with, or nothing where it cannot be made short. */
  readonly quick?: readonly string[]
  /** Why it cannot run here. */
  readonly missing?: () => string | undefined
}

function redisMissing(): string | undefined {
  return spawnSync('redis-server', ['--version']).status === 0 ? undefined : 'there is no redis-server on this machine'
}

const all: readonly Part[] = [
  { name: 'warm', title: 'Warm calls, every contender', takes: '8 min', quick: [] },
  { name: 'overhead', title: 'What ours cost beside the same client', takes: '8 min', quick: [] },
  { name: 'cold', title: '1,000 first calls at once, every contender', takes: '30 s', quick: [] },
  { name: 'churn', title: 'Tokens of 2 s, every contender', takes: '40 s', quick: [] },
  { name: 'revoked', title: 'Tokens that the API refuses, every contender', takes: '30 s', quick: [] },
  {
    name: 'outage',
    title: 'A minute without a token endpoint, every contender',
    takes: '2 min',
    quick: [],
  },
  { name: 'micro', title: 'A token that is at hand', takes: '10 s', quick: [] },
  { name: 'path', title: 'A warm call without sockets', takes: '20 s', quick: [] },
  { name: 'fetch-study', title: 'What fetch costs, and could cost', takes: '30 s' },
  { name: 'keys', title: 'Many keys in one source', takes: '30 s', quick: [] },
  { name: 'signing', title: 'Signatures', takes: '15 s' },
  { name: 'bound', title: 'A call for an inbound request', takes: '30 s' },
  { name: 'frameworks', title: 'Adapters', takes: '25 min' },
  { name: 'telemetry', title: 'Diagnostics that somebody listens to', takes: '1 min' },
  {
    name: 'fleet',
    title: '16 processes and one Redis',
    takes: '2 min',
    quick: ['5'],
    missing: redisMissing,
  },
]

/** Where a part's code is. */
export const fileOf = (name: string): string => join(import.meta.dirname, `${name}.ts`)

/** Those whose code is there. */
export const parts = all.filter(({ name }) => existsSync(fileOf(name)))
