// Command bitgate puts a Bitbucket Server, Data Center or Stash behind HTTPS.
//
// Rules of this package:
//   - It alone knows os.Stdin, os.Exit and the environment (process.go); the
//     commands get them as a value, so that tests run them in this process.
//   - A command composes the packages below and decides nothing about Bitbucket
//     or HAProxy. All doors fill the same setup.Answers.
//   - What was done goes to standard output, what went wrong to standard error,
//     as "bitgate: found" with the reason and the next step below it.
//   - No escape sequence goes to anything but a terminal.
package main

import (
	"os"

	_ "bitgate/internal/linuxonly"
)

func main() { os.Exit(Main(osProcess())) }
