// SPDX-License-Identifier: BSD-2-Clause
// Go's net/http: `client URL` prints what it got from the origin of run.mjs, a word a request.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func word(answer *http.Response, err error) string {
	if err != nil {
		return "error:" + err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "broken"
	}
	return fmt.Sprintf("%d/%d", answer.StatusCode, len(body))
}

func main() {
	url := os.Args[1]
	megabyte := bytes.Repeat([]byte("x"), 1000000)
	words := []string{}
	for i := 0; i < 20; i++ {
		words = append(words, word(http.Get(url+"/bytes/100")))
	}
	words = append(words, word(http.Get(url+"/bytes/10000000")))
	words = append(words, word(http.Get(url+"/chunks")))
	words = append(words, word(http.Get(url+"/missing")))
	words = append(words, word(http.Get(url+"/moved")))
	words = append(words, word(http.Post(url+"/length", "text/plain", bytes.NewReader(megabyte))))
	// Of unknown length: in chunks.
	words = append(words, word(http.Post(url+"/length", "text/plain", io.MultiReader(bytes.NewReader(megabyte), strings.NewReader("end")))))
	fmt.Println(strings.Join(words, " "))
}
