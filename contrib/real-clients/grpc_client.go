// SPDX-License-Identifier: BSD-2-Clause
// A gRPC service and its client on grpc-go, for contrib/real-clients.sh: grpc_client serve PORT, or
// grpc_client ask PORT PAUSE_SECONDS, which prints what it counted. grpc_client.py has the same calls.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Messages are bytes: no code has to be made from a description.
type plain struct{}

func (plain) Marshal(v interface{}) ([]byte, error) { return *(v.(*[]byte)), nil }
func (plain) Unmarshal(data []byte, v interface{}) error {
	*(v.(*[]byte)) = append([]byte{}, data...)
	return nil
}
func (plain) Name() string   { return "proto" }
func (plain) String() string { return "proto" }

// --- the service -------------------------------------------------------------------------------

// Each message comes back; "fail" ends the call with a status, "empty" gets an empty message, and
// "N SIZE" gets N messages of that size.
func talk(_ interface{}, stream grpc.ServerStream) error {
	stream.SetTrailer(metadata.Pairs("talked", "yes"))
	for {
		var in []byte
		var count, size int
		if err := stream.RecvMsg(&in); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if string(in) == "fail" {
			return status.Error(codes.DataLoss, "lost ☺ 100%")
		}
		out := in
		if string(in) == "empty" {
			out = nil
		}
		if read, _ := fmt.Sscanf(string(in), "%d %d", &count, &size); read != 2 {
			count = 1
		} else {
			out = make([]byte, size)
		}
		for i := 0; i < count; i++ {
			if err := stream.SendMsg(&out); err != nil {
				return err
			}
		}
	}
}

// One answer at the end: how many messages and bytes came.
func count(_ interface{}, stream grpc.ServerStream) error {
	messages, bytes := 0, 0
	for {
		var in []byte
		if err := stream.RecvMsg(&in); err == io.EOF {
			out := []byte(fmt.Sprintf("%d/%d", messages, bytes))
			return stream.SendMsg(&out)
		} else if err != nil {
			return err
		}
		messages++
		bytes += len(in)
	}
}

func serve(port string) {
	listening, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(grpc.CustomCodec(plain{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "trial.Trial",
		HandlerType: (*interface{})(nil),
		Streams: []grpc.StreamDesc{
			{StreamName: "Talk", Handler: talk, ServerStreams: true, ClientStreams: true},
			{StreamName: "Count", Handler: count, ServerStreams: true, ClientStreams: true},
		},
	}, struct{}{})
	panic(server.Serve(listening))
}

// --- the client --------------------------------------------------------------------------------

var connection *grpc.ClientConn

func open(ctx context.Context, method string) grpc.ClientStream {
	stream, err := connection.NewStream(ctx,
		&grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/trial.Trial/"+method)
	if err != nil {
		fmt.Print("no stream: ", err, " ")
		os.Exit(1)
	}
	return stream
}

// Sends a message; "" is an empty one.
func send(stream grpc.ClientStream, text string) {
	out := []byte(text)
	stream.SendMsg(&out)
}

// How a call ended, with how many messages and bytes came.
func rest(stream grpc.ClientStream) string {
	messages, bytes := 0, 0
	for {
		var in []byte
		if err := stream.RecvMsg(&in); err != nil {
			how := status.Convert(err)
			if err == io.EOF {
				how = status.New(codes.OK, "")
			}
			return fmt.Sprintf("%d/%d/%d/%s", messages, bytes, how.Code(), how.Message())
		}
		messages++
		bytes += len(in)
	}
}

func ask(text string) string {
	stream := open(context.Background(), "Talk")
	send(stream, text)
	stream.CloseSend()
	return rest(stream)
}

func upload(messages int, size int) string {
	stream := open(context.Background(), "Count")
	for i := 0; i < messages; i++ {
		send(stream, string(make([]byte, size)))
	}
	stream.CloseSend()
	var in []byte
	if err := stream.RecvMsg(&in); err != nil {
		return err.Error()
	}
	return string(in)
}

func pingPong(words int) int {
	stream := open(context.Background(), "Talk")
	same := 0
	for i := 0; i < words; i++ {
		var in []byte
		word := fmt.Sprint("word", i)
		send(stream, word)
		if stream.RecvMsg(&in) != nil || string(in) != word {
			break
		}
		same++
	}
	stream.CloseSend()
	rest(stream)
	return same
}

func crowd(calls int) int32 {
	var good int32
	var all sync.WaitGroup
	for i := 0; i < calls; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			if ask(fmt.Sprint("call", i)) == fmt.Sprintf("1/%d/0/", len(fmt.Sprint("call", i))) {
				atomic.AddInt32(&good, 1)
			}
		}(i)
	}
	all.Wait()
	return good
}

func deadline() codes.Code {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	stream := open(ctx, "Talk") // which waits for words
	var in []byte
	return status.Code(stream.RecvMsg(&in))
}

// One call waits for so long, and the connection has nothing else to carry.
func pause(seconds int) string {
	stream := open(context.Background(), "Talk")
	send(stream, "before")
	var in []byte
	stream.RecvMsg(&in)
	time.Sleep(time.Duration(seconds) * time.Second)
	send(stream, "after")
	stream.CloseSend()
	return rest(stream)
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	seconds, _ := strconv.Atoi(os.Args[3])
	connection, _ = grpc.Dial("127.0.0.1:"+os.Args[2], grpc.WithInsecure(),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(plain{})),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second}))
	nothing := open(context.Background(), "Talk")
	nothing.CloseSend()
	fmt.Print(rest(nothing), " ", ask("word"), " ", ask("empty"), " ", ask("fail"), " ",
		ask("20000 100"), " ", ask("200 300000"), " ", upload(20000, 100), " ", upload(200, 300000), " ",
		pingPong(2000), " ", crowd(200), " ", deadline(), " ", pause(seconds), " ", ask("word"))
}
