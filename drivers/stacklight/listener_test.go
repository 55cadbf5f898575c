package stacklight_test

import (
	"bufio"
	"context"
	"io"

	"traveler.example/drivers/emulate"
)

// listener is a device that takes lines: a terminal on which a light writes.
type listener struct{ lines chan string }

func (l *listener) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	stop := context.AfterFunc(ctx, func() { line.Close() })
	defer stop()
	for s := bufio.NewScanner(line); s.Scan(); {
		l.lines <- s.Text()
	}
	return nil
}

func (l *listener) Do(string) error                      { return nil }
func (l *listener) Help() string                         { return "" }
func (l *listener) Observe(func(emulate.Act)) (_ func()) { return func() {} }
