package line

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// The times of a process.
const (
	// restartPause is how long a process that died stays dead: long enough for
	// its peers and people to notice, short enough for a demo. The unit of a real
	// board waits longer.
	restartPause = 700 * time.Millisecond
	// stopLimit is within which a gateway has to end in order.
	stopLimit = 5 * time.Second
	// mostDeaths is how often a process may die without being killed before it
	// is given up.
	mostDeaths = 3
)

// process is a daemon that is started again when it dies, as a service manager
// would. It writes its light to file descriptor 3 and its journal to a file.
type process struct {
	argv    []string
	dir     string
	journal string              // path of the file that its stderr is appended to
	light   func(r io.Reader)   // reads the light until the process has ended
	lost    func(reason string) // a death that nobody asked for

	mu       sync.Mutex
	cmd      *exec.Cmd // nil: not running
	killed   bool      // by kill
	stopping bool
	deaths   int
	stop     chan struct{} // closed by end
	ended    chan struct{} // closed when the process and its keeper have ended
	last     error         // how the last run ended
}

// start runs the process until end.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return errors.New("it runs already")
	}
	p.stopping, p.deaths = false, 0
	p.stop, p.ended = make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go p.keep(first)
	if err := <-first; err != nil {
		<-p.ended
		p.ended = nil
		return err
	}
	return nil
}

// keep starts the process again and again until it is told to stop. It stays on
// its thread: the kernel kills the process when the thread that started it ends,
// so that no gateway outlives its line.
func (p *process) keep(first chan<- error) {
	defer close(p.ended)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		cmd, light, err := p.launch()
		if err != nil {
			if first == nil {
				p.lost("it does not start again: " + err.Error())
			} else {
				first <- err
			}
			return
		}
		stopped := p.running(cmd, first == nil)
		if first != nil {
			first <- nil
			first = nil
		}
		if stopped {
			_ = signal(cmd, syscall.SIGTERM)
		}
		p.light(light)
		err = cmd.Wait()
		_ = light.Close()
		if !p.died(err) {
			return
		}
		select {
		case <-time.After(restartPause):
		case <-p.stop:
			return
		}
	}
}

func (p *process) launch() (*exec.Cmd, *os.File, error) {
	light, end, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer end.Close()
	journal, err := os.OpenFile(p.journal, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, errors.Join(err, light.Close())
	}
	defer journal.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir = p.dir
	cmd.Stdout, cmd.Stderr = journal, journal
	cmd.ExtraFiles = []*os.File{end}
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "JOURNAL_STREAM=")
	// A process group of its own: Ctrl-C is for the parent, who stops in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("starting %s: %w", p.argv[0], err), light.Close())
	}
	return cmd, light, nil
}

// signal goes to the whole process group: a tracer and what it traces.
func signal(cmd *exec.Cmd, s syscall.Signal) error { return syscall.Kill(-cmd.Process.Pid, s) }

// running notes the process; again says that start does not hold the lock.
func (p *process) running(cmd *exec.Cmd, again bool) (stopped bool) {
	if again {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	p.cmd, p.killed = cmd, false
	return p.stopping
}

// died notes the end of a run and reports whether there is to be another.
func (p *process) died(err error) (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.last = nil, err
	if p.stopping {
		return false
	}
	if !p.killed {
		p.deaths++
		p.lost(fmt.Sprintf("it ended by itself (%v); see %s", err, p.journal))
	}
	return p.deaths < mostDeaths
}

// kill ends the process as a power cut would (SIGKILL); it is started again.
func (p *process) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return errors.New("it is not running")
	}
	p.killed = true
	return signal(p.cmd, syscall.SIGKILL)
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// end stops the process in order (SIGTERM) and for good. The error says that it
// took too long or that it failed.
func (p *process) end() error {
	p.mu.Lock()
	if p.ended == nil {
		p.mu.Unlock()
		return nil
	}
	ended := p.ended
	idle := p.cmd == nil
	if !p.stopping {
		p.stopping = true
		close(p.stop)
		if p.cmd != nil {
			_ = signal(p.cmd, syscall.SIGTERM)
		}
	}
	p.mu.Unlock()
	late := false
	select {
	case <-ended:
	case <-time.After(stopLimit):
		late = true
		p.mu.Lock()
		if p.cmd != nil {
			_ = signal(p.cmd, syscall.SIGKILL)
		}
		p.mu.Unlock()
		<-ended
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = nil
	switch {
	case late:
		return fmt.Errorf("it did not end within %v of SIGTERM", stopLimit)
	case idle || p.last == nil:
		return nil
	}
	return fmt.Errorf("it ended with %w", p.last)
}
