"""A client as benchmarks in Python have it: aiohttp, whole events split off, json.loads of each, a stamp after it."""
import asyncio, json, resource, sys, time
import aiohttp

job = json.loads(sys.argv[1])
now = lambda: time.clock_gettime(time.CLOCK_MONOTONIC)


def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def one(session, id, max_tokens=None):
    body = {"model": job["model"], "messages": [{"role": "user", "content": id}], "stream": job["stream"]}
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    sent = now()
    async with session.post(job["url"] + "/chat/completions", json=body) as answer:
        assert answer.status == 200, answer.status
        if not job["stream"]:
            data = json.loads(await answer.read())
            assert data["choices"][0]["message"]["content"]
            return {"count": 1}
        count, events, held = 0, [], b""
        async for piece in answer.content.iter_any():
            held += piece
            *whole, held = held.split(b"\n\n")
            for event in whole:
                if not event.startswith(b"data: "):
                    continue
                event = event[6:]
                if event == b"[DONE]":
                    continue
                data = json.loads(event)
                if data["choices"] and data["choices"][0]["delta"].get("content"):
                    count += 1
                    events.append(now())
        return {"count": count} if job["kind"] == "saturated" else {"sent": sent, "done": now(), "events": events}


async def main():
    streams = range(job["streams"])
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=120)
    ) as session:
        if job["kind"] == "saturated":

            async def keep_asking(until):
                count = 0
                while now() < until:
                    count += (await one(session, "stream"))["count"]
                return count

            async def all_streams(until):
                return sum(await asyncio.gather(*(keep_asking(until) for _ in streams)))

            await all_streams(now() + 1)
            begun, cpu = now(), time.process_time()
            count = await all_streams(begun + job["seconds"])
            result = {"count": count, "seconds": now() - begun, "cpuSeconds": time.process_time() - cpu}
        else:
            await asyncio.gather(*(one(session, f"warm {stream}", int(job["pace"])) for stream in streams))
            begun, cpu = now(), time.process_time()
            tokens = int(job["pace"] * job["seconds"])
            ids = [f"stream {stream} 0" for stream in streams]
            results = await asyncio.gather(*(one(session, id, tokens) for id in ids))
            result = {"seconds": now() - begun, "cpuSeconds": time.process_time() - cpu}
            with open(job["out"], "w") as file:
                json.dump([{"id": id, **one} for id, one in zip(ids, results)], file)
        print(json.dumps({**result, "rssBytes": rss()}))


asyncio.run(main())
