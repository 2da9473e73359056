"""Floods of frames: worth the second that loading the compiled scanner takes, which a start never waits for."""

import asyncio
import sys

import structlog

from ingestion.decoding.batch import flooded, load_scanner


async def load_scanner_in_floods() -> None:
    """Load the scanner when frames come in floods; it is compiled, once per version, in a process beside ours.

    Compiling takes seconds of one core; here it would hold up frames, pings and acknowledgements alike.
    """
    while not flooded():  # noqa: ASYNC110 - decoders know no event loop
        await asyncio.sleep(1.0)
    compiler = await asyncio.create_subprocess_exec(sys.executable, "-m", "ingestion.decoding.batch")
    try:
        await compiler.wait()
    except asyncio.CancelledError:
        compiler.kill()
        raise
    await asyncio.to_thread(load_scanner)
    structlog.get_logger().info("frames in floods are read by the scanner")
