import { once } from 'node:events'
import { gather } from './gather.ts'
import { howToTry } from './how-to-try.ts'
import { judge, judgeEnds } from './judge.ts'
import { formatManners, formatReport } from './report.ts'
import { openStage } from './stage.ts'
import { stopExamples } from './start-example.ts'
import { formatVerdict } from './verdict.ts'

const staysUp = process.argv.includes('--serve')
const interrupt = new AbortController()
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => interrupt.abort())

try {
  await using stage = await openStage()
  const evidence = await gather(stage, interrupt.signal)
  // How they end is a part of it, unless they stay up.
  const ends = staysUp ? [] : await stopExamples(stage.examples)
  console.log(`${formatReport(evidence)}\n\n${formatManners(evidence, ends)}\n`)
  const wrong = [...judge(evidence), ...judgeEnds(ends)]
  console.log(formatVerdict(wrong, evidence))
  if (wrong.length > 0) process.exitCode = 1
  if (staysUp) {
    console.log(await howToTry(stage, interrupt.signal))
    await once(interrupt.signal, 'abort')
  }
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error)
  console.log(`WRONG: ${interrupt.signal.aborted ? 'it was interrupted' : reason}`)
  process.exitCode = 1
}
