import { libraries } from './libraries.ts'
import { judge, report, type Observation } from './report.ts'
import { openStage } from './servers/stage.ts'

const stage = await openStage()
const observations: Observation[] = []
try {
  for (const library of libraries) {
    const before = stage.api.requests.length
    const failure = await library.call(stage).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    observations.push({ library, failure, seen: stage.api.requests.slice(before) })
  }
  console.log(report(observations))
  const wrong = judge(observations, stage.server)
  console.log(wrong.length > 0 ? `WRONG: ${wrong.join('; ')}` : `OK: ${libraries.length} clients, one token request.`)
  if (wrong.length > 0) process.exitCode = 1
} finally {
  await stage.close()
}
