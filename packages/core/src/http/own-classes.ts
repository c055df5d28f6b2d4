import * as undici from 'undici'

type Descriptors = Record<PropertyKey, PropertyDescriptor>

// undici's classes do the work, on their own private state. Libraries and callers ask `instanceof` of this Node's, so
// that is what these prototypes descend from; nothing global is touched.
const headersPrototype = descend(globalThis.Headers.prototype, undici.Headers.prototype, {})

const responsePrototype = descend(globalThis.Response.prototype, undici.Response.prototype, {
  headers: {
    get(this: undici.Response): undici.Headers {
      const headers: undici.Headers = Reflect.get(undici.Response.prototype, 'headers', this)
      return Object.setPrototypeOf(headers, headersPrototype)
    },
  },
  clone: {
    value(this: undici.Response): undici.Response {
      return asOwnResponse(undici.Response.prototype.clone.call(this))
    },
  },
  formData: {
    async value(this: undici.Response): Promise<FormData> {
      const copy = new FormData()
      for (const [name, value] of await undici.Response.prototype.formData.call(this)) {
        if (typeof value === 'string') copy.append(name, value)
        else copy.append(name, value, value.name)
      }
      return copy
    },
  },
})

/** The same response, as an instance of this Node's own `Response` with this Node's own `Headers` and `FormData`. */
export function asOwnResponse(response: undici.Response): undici.Response {
  return Object.setPrototypeOf(response, responsePrototype)
}

function descend(parent: object, members: object, changes: Descriptors): object {
  const { constructor: _, ...own }: Descriptors = Object.getOwnPropertyDescriptors(members)
  for (const [name, change] of Object.entries(changes)) own[name] = { configurable: true, ...own[name], ...change }
  return Object.create(parent, own) as object
}
