import { expect, it } from 'vitest'
import { CompareAndDelete } from '../src/compare-and-delete.ts'

/** A server that knows these commands. No one release has both of the new ones, and the distribution's has neither. */
function serverWith(...known: string[]) {
  const sent: string[] = []
  const commands = new Set(known)
  const compareAndDelete = new CompareAndDelete(async (_key, [name = '']) => {
    sent.push(name)
    if (!commands.has(name)) throw new Error(`ERR unknown command '${name}', with args beginning with: `)
    return 1
  })
  return { sent, commands, compareAndDelete }
}

it.each([
  ['Redis 8.4', ['DELEX', 'EVAL'], ['DELEX', 'DELEX']],
  ['Valkey 9', ['DELIFEQ', 'EVAL'], ['DELEX', 'DELIFEQ', 'DELIFEQ']],
  ['others', ['EVAL'], ['DELEX', 'DELIFEQ', 'EVAL', 'EVAL']],
])('the command of %s is found out once', async (_name, known, expected) => {
  const { sent, compareAndDelete } = serverWith(...known)
  await compareAndDelete.run('k', 'v')
  await compareAndDelete.run('k', 'v')
  expect(sent).toEqual(expected)
})

it('it is found out again when the server has become another one', async () => {
  const { sent, commands, compareAndDelete } = serverWith('DELEX')
  await compareAndDelete.run('k', 'v')
  commands.clear()
  commands.add('EVAL')
  await compareAndDelete.run('k', 'v')
  expect(sent).toEqual(['DELEX', 'DELEX', 'DELIFEQ', 'EVAL'])
  commands.clear()
  await expect(compareAndDelete.run('k', 'v')).rejects.toThrow('neither')
})

it('another error is not a reason to try another command', async () => {
  const compareAndDelete = new CompareAndDelete(() => Promise.reject(new Error('READONLY You cannot write')))
  await expect(compareAndDelete.run('k', 'v')).rejects.toThrow('READONLY')
})
