"""``meshkit lab``: local clusters that stand for clouds, and the WAN between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from meshkit.lab import wan

app = typer.Typer(
    name="lab",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Local clusters that stand for clouds, with an emulated WAN between them. Needs Linux and root.",
)


def _clusters(incomplete: str) -> list[str]:
    """Names for shell completion: the clusters that the lab has."""
    from meshkit.lab import register

    return [node.name for node in register.known() if node.name.startswith(incomplete)]


Cluster = Annotated[str, typer.Argument(metavar="CLUSTER", help="A cluster of the lab.", autocompletion=_clusters)]
Delay = Annotated[str | None, typer.Option(metavar="TIME", help="One-way delay, such as 35ms or 0.2s.")]
Jitter = Annotated[str | None, typer.Option(metavar="TIME", help="Vary the delay by up to this, both ways.")]
Loss = Annotated[str | None, typer.Option(metavar="SHARE", help="Share of packets lost one way: 0.1% or 0.001.")]
Mtu = Annotated[str | None, typer.Option(metavar="BYTES", help="Largest packet that passes, 576 to 1500.")]
Output = Annotated[Literal["table", "json"], typer.Option("--output", "-o", help="Form of the result.")]


@app.command(epilog="Example: meshkit lab up aks eks --delay 35ms --jitter 2ms --loss 0.1%")
def up(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Clusters; also their kubeconfig contexts.")],
    delay: Delay = None,
    jitter: Jitter = None,
    loss: Loss = None,
    mtu: Mtu = None,
) -> None:
    """Start one real Kubernetes cluster per name and join all of them by the WAN.

    What runs already stays. Options are set on the links between the named clusters; without any, a new link has no
    delay and no loss. The first run builds the tools and images, which takes about 25 minutes on two cores.

    Load balancers, volume claims, jobs, exec, logs and port-forward work. NetworkPolicies are stored, not enforced,
    and there is no internet: pods run from images that are in the node.
    """
    from meshkit.cli import console
    from meshkit.lab import lab

    change = _change(delay, jitter, loss, mtu)
    with console.narrator() as observe:
        lab.up(names, change, observe)


@app.command(epilog="Example: meshkit lab down eks (one cluster); meshkit lab down (all of them)")
def down(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="Clusters; all when none is named.", autocompletion=_clusters),
    ] = None,
) -> None:
    """Remove clusters and their kubeconfig contexts without a trace; built tools and images are kept."""
    from meshkit.cli import console
    from meshkit.events import Note
    from meshkit.lab import lab

    with console.narrator() as observe:
        if not lab.down(names or (), observe):
            observe(Note("the lab has no clusters"))


@app.command(epilog="Example: meshkit lab status --output json")
def status(output: Output = "table") -> None:
    """Show every cluster, whether it answers, where its logs are, and the links between clusters."""
    from meshkit.cli import console, lab_views
    from meshkit.lab import lab, wan

    clusters = lab.status()
    links = wan.links() if wan.is_running() else {}
    if output == "json":
        console.print_json(lab_views.document(clusters, links))
        return
    console.print_table(*lab_views.cluster_table(clusters))
    if links:
        console.print_table(*lab_views.link_table(links))


@app.command(epilog="Examples: meshkit lab link aks eks; meshkit lab link aks eks --delay 80ms --loss 2% --mtu 1400")
def link(  # noqa: PLR0913, PLR0917 - one parameter per option
    a: Cluster,
    b: Cluster,
    delay: Delay = None,
    jitter: Jitter = None,
    loss: Loss = None,
    mtu: Mtu = None,
    output: Output = "table",
) -> None:
    """Change the link between two clusters in both directions, at once; without options, show it."""
    from meshkit.cli import console, lab_views
    from meshkit.lab import lab, wan

    change = _change(delay, jitter, loss, mtu)
    first, second = lab.pair(a, b)
    if change != lab.UNCHANGED:
        wan.set_link(first, second, change)
    links = {pair: way for pair, way in wan.links().items() if set(pair) == {a, b}}
    if output == "json":
        console.print_json(lab_views.document((), links)["links"])
    else:
        console.print_table(*lab_views.link_table(links))


@app.command(epilog="Example: meshkit lab cut aks eks --one-way")
def cut(
    a: Cluster,
    b: Cluster,
    one_way: Annotated[bool, typer.Option("--one-way", help="Only from A to B; answers still pass.")] = False,  # noqa: FBT002 - Typer's form of a flag
) -> None:
    """Let no packet pass between two clusters, until heal."""
    from meshkit.lab import lab, wan

    wan.cut(*lab.pair(a, b), one_way=one_way)


@app.command(epilog="Example: meshkit lab heal aks eks")
def heal(a: Cluster, b: Cluster) -> None:
    """Undo a cut in both directions; delay, loss and MTU stay as set."""
    from meshkit.lab import lab, wan

    wan.heal(*lab.pair(a, b))


@app.command(epilog="Example: docker save my/app:1 -o app.tar; meshkit lab load app.tar --cluster aks")
def load(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Archives of images.")],
    clusters: Annotated[
        list[str] | None,
        typer.Option("--cluster", metavar="NAME", help="Only into this cluster; repeat it.", autocompletion=_clusters),
    ] = None,
) -> None:
    """Load images from files into the nodes, since there is no registry to pull from.

    A file is what docker save writes, or an OCI image layout in a tar. Pods find the images under their own names,
    with imagePullPolicy IfNotPresent or Never. They stay until lab down.
    """
    from meshkit.cli import console
    from meshkit.lab import lab

    with console.narrator() as observe:
        lab.load(files, clusters or (), observe)


@app.command(epilog="Example: meshkit lab tools")
def tools() -> None:
    """Build the lab's tools and images now, and start nothing; they are kept for every later lab."""
    from meshkit.cli import console
    from meshkit.lab import lab

    with console.narrator() as observe:
        lab.build_tools(observe)


def _change(delay: str | None, jitter: str | None, loss: str | None, mtu: str | None) -> wan.LinkChange:
    """What the options say, checked before anything is touched."""
    from meshkit.lab import wan

    return wan.LinkChange(
        delay_s=None if delay is None else wan.parse_delay(delay),
        jitter_s=None if jitter is None else wan.parse_delay(jitter),
        loss=None if loss is None else wan.parse_loss(loss),
        mtu=None if mtu is None else wan.parse_mtu(mtu),
    )
