/**
 * Runs all parts, or those that are named, and writes results, tables and charts. `--quick` is a smoke run of a minute that
 * leaves the results alone. `report` draws tables and charts anew from results that are there.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { thisMachine } from './machine.ts'
import { fileOf, parts, type Part } from './parts.ts'
import { writeReport } from './report.ts'

const words = process.argv.slice(2)
const quick = words.includes('--quick')
const named = words.filter((word) => !word.startsWith('--') && word !== 'report')
const unknown = [
  ...named.filter((name) => !parts.some((part) => part.name === name)),
  ...words.filter((word) => word.startsWith('--') && word !== '--quick'),
]
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(', ')}. There are ${parts.map(({ name }) => name).join(', ')}.`)
  process.exit(1)
}

const results = quick ? join(tmpdir(), `tokenwell-bench-${process.pid}`) : join(import.meta.dirname, 'results')
mkdirSync(results, { recursive: true })
const machine = thisMachine()

/** Runs one part to its end, shows what it prints, and writes what it found. False when it failed. */
async function run(part: Part): Promise<boolean> {
  console.log(`\n## ${part.title} (${part.name})\n`)
  const reason = part.missing?.()
  if (reason !== undefined) {
    console.log(`Left out: ${reason}.`)
    return true
  }
  const figuresFile = join(results, `${part.name}.figures.json`)
  const began = performance.now()
  const child = spawn(process.execPath, [fileOf(part.name), ...(quick ? (part.quick ?? []) : [])], {
    env: { ...process.env, TOKENWELL_BENCH_QUICK: quick ? '1' : '0', TOKENWELL_BENCH_FIGURES: figuresFile },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    process.stdout.write(text)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const seconds = Math.round((performance.now() - began) / 1000)
  const result = {
    part: part.name,
    title: part.title,
    date: new Date().toISOString(),
    seconds,
    ...(code === 0 ? {} : { exitCode: code }),
    machine,
    figures: readFigures(figuresFile),
    printed: printed.trim().split('\n'),
  }
  writeFileSync(join(results, `${part.name}.json`), `${inFewLines(result)}\n`)
  console.log(`\n(${seconds} s${code === 0 ? '' : `; exit code ${code}`})`)
  return code === 0
}

/** As JSON whose smallest objects and lists are a line each. A string in JSON has no line breaks, so none is changed. */
function inFewLines(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(/[[{][^[\]{}]{0,160}[\]}]/g, (small) =>
    small.replaceAll(/\n\s*/g, ' '),
  )
}

/** What the part published, once; undefined where it only prints. */
function readFigures(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  } finally {
    rmSync(file, { force: true })
  }
}

if (!words.includes('report')) {
  const wanted = parts.filter((part) =>
    named.length > 0 ? named.includes(part.name) : !quick || part.quick !== undefined,
  )
  const failed: string[] = []
  for (const part of wanted) if (!(await run(part))) failed.push(part.name)
  if (failed.length > 0) {
    console.log(`\nDid not end well: ${failed.join(', ')}.`)
    process.exitCode = 1
  }
}
writeReport(results)
console.log(`\nResults, tables and charts are in ${results}.`)
