package emulate

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
)

// longestCommand bounds a line of commands.
const longestCommand = 4096

// Console carries out the commands that it reads from in, one a line, and
// writes a line to out for each thing the host did and for each command that
// could not be carried out. A read or a weighing that repeats itself is told
// once. Empty lines and lines that begin with # are skipped; "help" lists the
// commands.
//
// It returns nil at "quit", at the end of in and at the end of ctx. In the last
// case a Read of in that is under way is left behind until in ends.
func Console(ctx context.Context, device Device, in io.Reader, out io.Writer) error {
	printer := &printer{out: out}
	cancel := device.Observe(func(a Act) {
		if (a.Verb != DidRead && a.Verb != DidWeigh) || a.Count == 1 {
			printer.line(a.String())
		}
	})
	defer cancel()
	lines, failed := make(chan string), make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(nil, longestCommand)
		for s.Scan() {
			select {
			case lines <- strings.TrimSpace(s.Text()):
			case <-ctx.Done():
				failed <- nil
				return
			}
		}
		failed <- s.Err()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case command, ok := <-lines:
			switch {
			case !ok:
				if err := <-failed; err != nil {
					return fmt.Errorf("read commands: %w", err)
				}
				return nil
			case command == "quit":
				return nil
			case command == "help":
				printer.line(device.Help() + "\nquit")
			case command == "" || strings.HasPrefix(command, "#"):
			default:
				if err := device.Do(command); err != nil {
					printer.line("error: " + err.Error())
				}
			}
		}
	}
}

// printer writes whole lines from several goroutines.
type printer struct {
	mu  sync.Mutex
	out io.Writer
}

func (p *printer) line(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.out, s+"\n") // a console that nobody reads is no reason to stop
}
