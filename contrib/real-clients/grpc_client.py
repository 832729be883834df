# SPDX-License-Identifier: BSD-2-Clause
"""A gRPC service and its client on gRPC's library in C, for contrib/real-clients.sh: grpc_client.py
serve PORT, or grpc_client.py ask PORT PAUSE_SECONDS, which prints what it counted. grpc_client.go has
the same calls."""
import concurrent.futures
import sys
import time

import grpc

UNLIMITED = [('grpc.max_receive_message_length', -1), ('grpc.max_send_message_length', -1)]


def same(message):
    """Messages are bytes: no code has to be made from a description."""
    return message


# --- the service -------------------------------------------------------------------------------

def talk(messages, context):
    context.set_trailing_metadata((('talked', 'yes'),))
    for message in messages:
        words = message.split()
        if message == b'fail':
            context.abort(grpc.StatusCode.DATA_LOSS, 'lost ☺ 100%')
        elif len(words) == 2:
            for _ in range(int(words[0])):
                yield bytes(int(words[1]))
        else:
            yield b'' if message == b'empty' else message


def count(messages, _):
    sizes = [len(message) for message in messages]
    yield b'%d/%d' % (len(sizes), sum(sizes))


class Trial(grpc.GenericRpcHandler):
    def service(self, details):
        method = {'/trial.Trial/Talk': talk, '/trial.Trial/Count': count}[details.method]
        return grpc.stream_stream_rpc_method_handler(method, same, same)


def serve(port):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(300), options=UNLIMITED)
    server.add_generic_rpc_handlers((Trial(),))
    server.add_insecure_port('127.0.0.1:' + port)
    server.start()
    server.wait_for_termination()


# --- the client --------------------------------------------------------------------------------

class Client:
    def __init__(self, port):
        patient = [('grpc.keepalive_time_ms', 10000), ('grpc.http2.max_pings_without_data', 0)]
        self.channel = grpc.insecure_channel('127.0.0.1:' + port, options=UNLIMITED + patient)

    def open(self, method, messages, **options):
        return self.channel.stream_stream('/trial.Trial/' + method, same, same)(messages, **options)

    def rest(self, call):
        """How a call ended, with how many messages and bytes came."""
        sizes = []
        try:
            for message in call:
                sizes.append(len(message))
        except grpc.RpcError:
            pass
        return '%d/%d/%d/%s' % (len(sizes), sum(sizes), call.code().value[0], call.details())

    def ask(self, text):
        return self.rest(self.open('Talk', iter([text.encode()])))

    def upload(self, messages, size):
        return b''.join(self.open('Count', (bytes(size) for _ in range(messages)))).decode()

    def ping_pong(self, words):
        came = []

        def sent():
            for i in range(words):
                yield b'word%d' % i
                while len(came) <= i:
                    time.sleep(0)
        for message in self.open('Talk', sent()):
            came.append(message)
        return sum(message == b'word%d' % i for i, message in enumerate(came))

    def crowd(self, calls):
        with concurrent.futures.ThreadPoolExecutor(calls) as threads:
            answers = threads.map(lambda i: self.ask('call%d' % i), range(calls))
            return sum(text == '1/%d/0/' % len('call%d' % i) for i, text in enumerate(answers))

    def deadline(self):
        def silence():
            time.sleep(1)
            yield from ()
        return self.rest(self.open('Talk', silence(), timeout=0.3))

    def pause(self, seconds):
        def words():
            yield b'before'
            time.sleep(seconds)
            yield b'after'
        return self.rest(self.open('Talk', words()))


def main():
    if sys.argv[1] == 'serve':
        serve(sys.argv[2])
    client = Client(sys.argv[2])
    print(client.rest(client.open('Talk', iter([]))), client.ask('word'), client.ask('empty'), client.ask('fail'),
          client.ask('20000 100'), client.ask('200 300000'), client.upload(20000, 100),
          client.upload(200, 300000), client.ping_pong(500), client.crowd(200), client.deadline(),
          client.pause(int(sys.argv[3])), client.ask('word'), end='')


main()
