import { create, toBinary } from '@bufbuild/protobuf'
import { fileDesc, serviceDesc } from '@bufbuild/protobuf/codegenv2'
import { base64Encode } from '@bufbuild/protobuf/wire'
import {
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
  MethodOptions_IdempotencyLevel,
  type StringValueSchema,
} from '@bufbuild/protobuf/wkt'

const text = '.google.protobuf.StringValue'

const file = create(FileDescriptorProtoSchema, {
  name: 'billing/v1/billing.proto',
  package: 'billing.v1',
  syntax: 'proto3',
  dependency: ['google/protobuf/wrappers.proto'],
  service: [
    {
      name: 'Billing',
      method: [
        {
          name: 'ReadInvoice',
          inputType: text,
          outputType: text,
          options: { idempotencyLevel: MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS },
        },
        { name: 'CreateInvoice', inputType: text, outputType: text },
        { name: 'ListInvoices', inputType: text, outputType: text, serverStreaming: true },
      ],
    },
  ],
})

/**
 * A service of three methods, each of which takes and gives a text. A code generator would make this of a `.proto` file:
 *
 *     service Billing {
 *       rpc ReadInvoice(StringValue) returns (StringValue) { option idempotency_level = NO_SIDE_EFFECTS; }
 *       rpc CreateInvoice(StringValue) returns (StringValue);
 *       rpc ListInvoices(StringValue) returns (stream StringValue);
 *     }
 */
export const Billing = serviceDesc<{
  readInvoice: { methodKind: 'unary'; input: typeof StringValueSchema; output: typeof StringValueSchema }
  createInvoice: { methodKind: 'unary'; input: typeof StringValueSchema; output: typeof StringValueSchema }
  listInvoices: { methodKind: 'server_streaming'; input: typeof StringValueSchema; output: typeof StringValueSchema }
}>(fileDesc(base64Encode(toBinary(FileDescriptorProtoSchema, file)), [file_google_protobuf_wrappers]), 0)
