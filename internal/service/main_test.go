package service

import (
	"context"
	"fmt"
	"os"
	"testing"

	"bitgate/internal/peers"
)

const reloadJob = "reload"

func TestMain(m *testing.M) {
	peers.Suite{Jobs: map[string]func(string){reloadJob: func(command string) {
		if err := Do(context.Background(), Control{How: Command, Command: command}, Reload, os.Stdout); err != nil {
			fmt.Fprintln(os.Stdout, err)
			os.Exit(1)
		}
	}}}.Main(m)
}
