package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/agent/doctor"
)

const (
	defaultSocket  = "/run/traveler/control.sock"
	defaultTimeout = 15 * time.Second
)

// app is one run of the program: what it was given, and the global flags.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
	now      func() time.Time

	dial          func(socket string) (agent.Desk, error)
	openDirectory func(dir string) (agent.Desk, error)
	surroundings  func() doctor.World // of this program, for the doctor

	socket  string
	dir     string
	json    bool
	timeout time.Duration

	secret     source    // opens protected keys
	prompt     *prompter // asks where no flag says the passphrase
	workFactor int       // of new protected keys; 0: the usual

	running bool // a command's own code has begun: errors are no longer about usage
}

// commands lists what traveler can do, in the order in which a plant meets it.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.networkCommand(), a.rosterCommand(), a.gatewayCommand(), a.identityCommand(), a.keyCommand(), a.profileCommand(), a.flashCommand(),
		a.orderCommand(), a.itemCommand(), a.ledgerCommand(), a.peersCommand(), a.statusCommand(), a.doctorCommand(), a.stationCommand(),
		a.lampTestCommand(), a.readerCommand(), a.scaleCommand(), a.emulateCommand(), a.demoCommand(),
	}
}

func (a *app) root() *cobra.Command {
	root := a.group("traveler", "One signed history for every item of a plant",
		`traveler founds a network of gateways, lets gateways and people in, issues work
orders, shows items and rules on them, and checks the ledger.

It talks to a running travelerd over --socket; with --dir it reads the directory
of a stopped gateway, or a copy of one, and does not write to it.`)
	root.Version = version()
	root.FParseErrWhitelist.UnknownFlags = false // its flags are everybody's
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("traveler {{.Version}}\n")
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	flags := root.PersistentFlags()
	flags.StringVar(&a.socket, "socket", "", "control socket of a running travelerd (default $TRAVELER_SOCKET or "+defaultSocket+")")
	flags.StringVar(&a.dir, "dir", "", "directory of a stopped gateway, or of a network")
	flags.BoolVar(&a.json, "json", false, "print JSON of a stable shape")
	a.secret.register(flags, "the keys")
	flags.DurationVar(&a.timeout, "timeout", defaultTimeout, "how long to wait for a running travelerd")
	root.AddCommand(a.commands()...)
	return root
}

func (a *app) run(ctx context.Context, args []string) int {
	a.prompt = &prompter{ctx: ctx, in: a.in, out: a.err}
	root := a.root()
	root.SetArgs(args)
	c, err := root.ExecuteContextC(ctx)
	var h hinted
	if err != nil && !a.running {
		if !errors.As(err, &h) {
			err = hintf(err, "%s --help tells how it is used", c.CommandPath())
		}
		err = usage(err)
	}
	return a.report(err)
}

// group is a command that only holds others.
func (a *app) group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long, DisableFlagsInUseLine: true}
	c.Args = cobra.ArbitraryArgs
	c.FParseErrWhitelist.UnknownFlags = true // of a command misspelt: its name is the mistake to speak of
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return hintf(errors.New(c.CommandPath()+" needs a command"), "one of %s; see %s --help", strings.Join(names(c), ", "), c.CommandPath())
		}
		hint := "one of " + strings.Join(names(c), ", ")
		c.SuggestionsMinimumDistance = 2
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + c.CommandPath() + " " + near[0] + "?"
		}
		return hintf(fmt.Errorf("%s has no command %q", c.CommandPath(), args[0]), "%s", hint)
	}
	c.AddCommand(commands...)
	return c
}

func names(c *cobra.Command) []string {
	var all []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			all = append(all, sub.Name())
		}
	}
	return all
}

// command is a command that does something with as many arguments as use names
// before its flags. Flags and arguments have been judged when do is called.
func (a *app) command(use, short, long string, do func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: arguments(use),
		RunE: func(c *cobra.Command, args []string) error {
			a.running = true
			if err := a.secret.settle(); err != nil {
				return err
			}
			return do(c.Context(), args)
		},
	}
}

// arguments holds a command to the arguments that its use names: upper-case
// words before the first flag, | between names of one, … after one that may be
// given again.
func arguments(use string) cobra.PositionalArgs {
	_, words, _ := strings.Cut(use, " ")
	words, _, _ = strings.Cut(words, "--")
	words = strings.TrimSpace(strings.TrimRight(words, " [")) // [ of the first flag
	optional := strings.HasPrefix(words, "[")
	var names []string // of each argument
	for _, w := range strings.Fields(strings.ReplaceAll(words, " | ", "|")) {
		if names = append(names, strings.ReplaceAll(w, "|", " | ")); optional {
			names = []string{words}
		}
	}
	again := strings.HasSuffix(words, "…")
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(names) == 0 && len(args) > 0:
			return fmt.Errorf("unexpected argument %q", args[0])
		case !optional && len(args) < len(names):
			return fmt.Errorf("%s is missing", names[len(args)])
		case len(args) > len(names) && !again:
			return fmt.Errorf("unexpected argument %q after %s", args[len(names)], words)
		}
		return nil
	}
}

// socketPath is the control socket: flag, environment, usual place.
func (a *app) socketPath() string {
	for _, s := range []string{a.socket, a.env("TRAVELER_SOCKET")} {
		if s != "" {
			return s
		}
	}
	return defaultSocket
}

// withDesk has f ask the gateway that the flags name.
func (a *app) withDesk(ctx context.Context, f func(ctx context.Context, d agent.Desk) error) (err error) {
	if a.dir != "" && a.socket != "" {
		return usage(hintf(errors.New("--dir and --socket are both given"), "--socket asks a running travelerd, --dir reads a stopped gateway's directory"))
	}
	open := func() (agent.Desk, error) { return a.dial(a.socketPath()) }
	if a.dir != "" {
		open = func() (agent.Desk, error) { return a.openDirectory(a.dir) }
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	d, err := open()
	if a.dir != "" && errors.Is(err, fs.ErrNotExist) {
		return hintf(err, "a gateway's directory has %s and, once it has run, %s in it; those of a network are in DIR/%s", agent.GenesisName, agent.DataName, agent.BoardsName)
	}
	if err != nil {
		return err
	}
	defer func() {
		if cerr := d.Close(); err == nil {
			err = cerr
		}
	}()
	return f(ctx, d)
}

// version is the program's own, as the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
