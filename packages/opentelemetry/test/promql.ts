import type { SyntaxNodeRef } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'

/** What a query asks for. */
export interface Query {
  /** Where it is not PromQL, by Prometheus' own grammar. */
  readonly errors: readonly string[]
  readonly selectors: readonly Selector[]
  /** Labels that it groups by. */
  readonly grouping: readonly string[]
}

/** One metric with its conditions. */
export interface Selector {
  readonly metric: string
  readonly conditions: readonly (readonly [label: string, operator: string, value: string])[]
}

/** Reads a query of a dashboard, whose variables Grafana would have replaced. */
export function readQuery(query: string): Query {
  const text = query.replaceAll('$__rate_interval', '5m').replaceAll('$upstream', 'billing')
  const [errors, selectors, grouping]: [string[], Selector[], string[]] = [[], [], []]
  const textOf = ({ from, to }: { from: number; to: number }) => text.slice(from, to)
  const enter = (node: SyntaxNodeRef) => {
    if (node.type.isError) errors.push(`${text.slice(0, node.from)}<here>${text.slice(node.from)}`)
    if (node.name === 'GroupingLabels')
      grouping.push(
        ...textOf(node)
          .replaceAll(/[()\s]/g, '')
          .split(','),
      )
    if (node.name !== 'VectorSelector') return
    const conditions = node.node
      .getChild('LabelMatchers')
      ?.getChildren('UnquotedLabelMatcher')
      .map((matcher) => {
        const [label, operator, value] = ['LabelName', 'MatchOp', 'StringLiteral'].map((name) => {
          const child = matcher.getChild(name)
          return child === null ? '' : textOf(child)
        })
        return [label ?? '', operator ?? '', (value ?? '').slice(1, -1)] as const
      })
    const identifier = node.node.getChild('Identifier')
    selectors.push({ metric: identifier === null ? '' : textOf(identifier), conditions: conditions ?? [] })
  }
  parser.parse(text).iterate({ enter })
  return { errors, selectors, grouping }
}
