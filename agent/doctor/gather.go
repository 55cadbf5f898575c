package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// World is what a board is looked at through. [System] is the real one.
type World struct {
	// Root is the directory that stands for /: of the running system, of a card that is
	// mounted, or of a test.
	Root string
	// Live says that Root is the running system: its daemon, brokers and clock are
	// asked. Else only files are read.
	Live bool

	Now     func() time.Time
	Clock   func() ledger.Clock
	Built   time.Time // when this program was made; zero: not known
	Version string    // of this program

	// Dial reaches brokers, Ask the daemon.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Ask  func(socket string) (agent.Desk, error)
	// Space tells of the file system of a directory.
	Space func(dir string) (Space, error)
	// Journal prints the kernel's lines of the journal as JSON, for a person who may not
	// read the kernel log itself; nil: nobody does.
	Journal func(ctx context.Context) ([]byte, error)
	// Probe greets the devices of a profile; nil: nobody does.
	Probe func(ctx context.Context, p profiles.Profile) ([]agent.Probed, error)
}

// Space is a file system's.
type Space struct {
	Free, Size int64 // bytes
	NoInodes   bool
	ReadOnly   bool
}

// SpaceOf asks the kernel for the file system of dir (statfs(2)).
func SpaceOf(dir string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Space{}, err
	}
	unit := int64(s.Bsize)
	return Space{
		Free: int64(s.Bavail) * unit, Size: int64(s.Blocks) * unit,
		NoInodes: s.Files > 0 && s.Ffree == 0, ReadOnly: s.Flags&unix.ST_RDONLY != 0,
	}, nil
}

// System is the running system, looked at by a program of that version. Journal and
// Probe are left to the caller.
func System(version string) World {
	return World{
		Root: "/", Live: true, Now: time.Now, Clock: agent.SystemClock, Built: agent.BuildTime(), Version: version,
		Dial: new(net.Dialer).DialContext, Ask: agent.Dial, Space: SpaceOf,
	}
}

// What may take time has so much of it.
const (
	askWithin  = 15 * time.Second
	callWithin = 5 * time.Second
)

// Gather looks at a board whose profile is file, a path under w.Root. socket is the
// daemon's control socket, empty for the one that the profile names. What cannot be seen
// is said in the facts; the only error is that of ctx.
func (w World) Gather(ctx context.Context, file, socket string) (Facts, error) {
	f := Facts{At: w.Now(), Built: w.Built, Version: w.Version}
	f.Profile = w.profile(file)
	p := f.Profile.Profile
	procs := w.processes()
	f.Board = w.board(f.At)
	f.Account = w.account()
	f.Kernel = w.kernel(ctx, f.Board.Booted)
	f.Clock = w.clock()
	f.Daemon = w.daemon(ctx, cmp.Or(socket, p.ControlSocket), procs)
	days := int64(-1)
	if f.Daemon.Answers {
		days = w.forecast(ctx, f.Daemon.Socket)
	}
	if f.Profile.usable() {
		f.Ports = w.ports(p, procs)
		f.Disk = w.disk(p, days)
		f.Broker = w.brokers(ctx, p, f.Daemon.Answers)
		f.Roster = w.roster(ctx, p, f.Daemon)
		f.Probes = w.probes(ctx, p, f.Daemon)
	} else {
		f.Disk.Unknown, f.Roster.Unknown = "without a profile its place is not known", "without a profile it is not known whose to look for"
	}
	return f, ctx.Err()
}

// path is where a path of the board is found.
func (w World) path(p string) string {
	root := filepath.Clean(w.Root)
	if root == "/" || p == "" || p == root || strings.HasPrefix(p, root+"/") {
		return p
	}
	return filepath.Join(root, p)
}

// maxText bounds a file that is read as a whole.
const maxText = 1 << 20

// read returns the text of a file of the board, up to maxText bytes. Its errors call the
// file as the board does.
func (w World) read(path string) (string, error) {
	file, err := os.Open(w.path(path))
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			at.Path = path
		}
		return "", err
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(file, maxText))
	return string(text), err
}

func (w World) profile(file string) ProfileFacts {
	facts := ProfileFacts{File: file}
	p, err := profiles.Load(w.path(file))
	var faults profiles.Faults
	switch {
	case errors.As(err, &faults):
		for _, f := range faults[:min(len(faults), 10)] {
			facts.Problems = append(facts.Problems, f.Error())
		}
	case err != nil:
		facts.Problems = []string{err.Error()}
	default:
		facts.Profile = p
	}
	return facts
}

func (w World) clock() ClockFacts {
	var c ClockFacts
	if w.Live {
		c.Synchronised = w.Clock() == ledger.ClockSynchronised
	} else {
		c.Unknown = "this is not the running system"
	}
	text, err := w.read("/sys/class/rtc/rtc0/since_epoch")
	if seconds, ok := number(text); err == nil && ok {
		c.Battery, c.BatteryTime = true, time.Unix(seconds, 0)
	}
	return c
}

// disk looks at the replica's directory, or at the nearest above it that exists.
func (w World) disk(p profiles.Profile, days int64) DiskFacts {
	dir := w.path(p.DataDir)
	for {
		_, err := os.Stat(dir)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	s, err := w.Space(dir)
	if err != nil {
		return DiskFacts{Unknown: "the file system of " + dir + " does not tell: " + err.Error()}
	}
	return DiskFacts{Dir: p.DataDir, Free: s.Free, Size: s.Size, NoInodes: s.NoInodes, ReadOnly: s.ReadOnly, DaysUntilFull: days}
}

// kernel reads the kernel log, or the journal of it.
func (w World) kernel(ctx context.Context, booted time.Time) KernelFacts {
	text, err := readLog(w.path("/dev/kmsg"))
	if err == nil {
		return KernelFacts{Lines: ParseKmsg(text, booted)}
	}
	if w.Journal != nil {
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		if journal, jerr := w.Journal(ctx); jerr == nil {
			return KernelFacts{Lines: ParseKernelJournal(string(journal))}
		}
	}
	return KernelFacts{Unknown: "the kernel log cannot be read: " + err.Error()}
}

// maxLog bounds what is read of the kernel log, in bytes; its ring is smaller.
const maxLog = 8 << 20

// readLog reads what is in the kernel log now. Each read of the device is one record; the
// last is followed by EAGAIN, one that was overwritten meanwhile answers EPIPE.
func readLog(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // only read
	var text strings.Builder
	record := make([]byte, 16<<10)
	for text.Len() < maxLog {
		n, err := unix.Read(fd, record)
		switch {
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
			return text.String(), nil
		case err != nil:
			return "", &fs.PathError{Op: "read", Path: path, Err: err}
		}
		text.Write(record[:n])
	}
	return text.String(), nil
}

func (w World) probes(ctx context.Context, p profiles.Profile, d DaemonFacts) ProbeFacts {
	if !w.Live || w.Probe == nil || d.Answers || len(d.Running) > 0 || len(p.Readers) == 0 && p.Scale == nil {
		return ProbeFacts{}
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	all, err := w.Probe(ctx, p)
	facts := ProbeFacts{Done: err == nil, Devices: all}
	if err != nil {
		facts.Problem = err.Error()
	}
	return facts
}

// daemon asks the daemon how it is.
func (w World) daemon(ctx context.Context, socket string, procs processes) DaemonFacts {
	d := DaemonFacts{Asked: w.Live, Socket: socket, Running: procs.named("travelerd")}
	if !w.Live || socket == "" {
		d.Problem = "no control socket is known"
		return d
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	desk, err := w.Ask(socket)
	if err == nil {
		defer desk.Close() //nolint:errcheck // nothing is left to be said
		d.Status, err = desk.Status(ctx)
	}
	if err == nil {
		d.Answers = true
		d.Peers, err = desk.Peers(ctx)
	}
	if err != nil {
		d.Problem, d.Denied = err.Error(), errors.Is(err, fs.ErrPermission)
	}
	return d
}

// forecast asks the daemon how long the disk will last; -1: not known.
func (w World) forecast(ctx context.Context, socket string) int64 {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	desk, err := w.Ask(socket)
	if err != nil {
		return -1
	}
	defer desk.Close() //nolint:errcheck // nothing is left to be said
	s, err := desk.Stats(ctx)
	if err != nil {
		return -1
	}
	return s.DaysUntilFull
}

// call reaches a broker and looks at what it shows.
func (w World) call(ctx context.Context, l *Link, secured *tls.Config) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	conn, err := w.Dial(ctx, "tcp", l.Address)
	if err != nil {
		l.Problem = err.Error()
		return
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	if !l.Secured {
		return
	}
	cfg := secured.Clone()
	cfg.ServerName = l.Host
	// What it shows is judged by rule afterwards, and nothing is told to it meanwhile.
	cfg.InsecureSkipVerify = true
	c := tls.Client(conn, cfg)
	err = c.HandshakeContext(ctx)
	l.Shown = c.ConnectionState().PeerCertificates
	if err == nil {
		err = awaitRefusal(c)
	}
	if err != nil {
		l.Problem, l.Refused = err.Error(), len(l.Shown) > 0
	}
}

// refusalWithin is how long a broker has to refuse what this side has shown, which with
// TLS 1.3 comes after the handshake. Who accepts says nothing before it is spoken to.
const refusalWithin = 500 * time.Millisecond

func awaitRefusal(c *tls.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(refusalWithin)); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
